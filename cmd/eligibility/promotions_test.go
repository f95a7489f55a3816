package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// examples is the folder that the documentation walks through.
const examples = "../../examples/shop"

// copyOf is a folder with the files of another and some more, by path.
func copyOf(t *testing.T, dir string, more map[string]string) string {
	t.Helper()
	out := t.TempDir()
	if dir != "" {
		if err := os.CopyFS(out, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range more {
		path = filepath.Join(out, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestPromotionsWithoutAServer(t *testing.T) {
	const rule = "id: x\nname: X\nrule: \"%\"\nchannels: [push]\ncontent: {title: t}\n"
	with := func(text string) map[string]string {
		return map[string]string{"x.yaml": strings.Replace(rule, "%", text, 1)}
	}
	const failing = "now: 2026-06-18T12:00:00Z\nusers: {u: {}}\ntests: [{name: t, expect: {house-banner: {u: held_out}}}]\n"
	for _, c := range []struct {
		name     string
		more     map[string]string
		args     string
		code     int
		out, err []string
	}{
		{"check", nil, "check", exitOK, []string{"warning", "13 promotions are fine"}, nil},
		{"test", nil, "test", exitOK, []string{"68 of 68 expectations met"}, nil},
		{"test, all listed", nil, "test -v", exitOK, []string{"fathers-day of lou: frequency_cap"}, nil},
		{"some tests", nil, "test --run ^carts$", exitOK, []string{"15 of 15 expectations met"}, nil},
		{"a rule that does not check", with("user.contry == 'US'"), "check", exitCheck, []string{"x.yaml:3:13: error", "did you mean user.country?"}, []string{"1 error"}},
		{"tests of a rule that does not check", with("user.contry == 'US'"), "test", exitCheck, []string{"x.yaml:3:13"}, []string{"1 error"}},
		{"a misspelt key", map[string]string{"x.yaml": "id: x\nnmae: y\n"}, "check", exitUsage, []string{"x.yaml:2:1: error", "did you mean name?"}, []string{"1 place"}},
		{"a test that fails", map[string]string{"x_test.yaml": failing}, "test", exitTest, []string{"x_test.yaml:3:46: t: house-banner of u: got eligible, want held_out", "68 of 69"}, []string{"1 expectation was not met"}},
		{"a test of nobody", map[string]string{"x_test.yaml": strings.Replace(failing, "u: held_out", "v: held_out", 1)}, "test", exitUsage, []string{`there is no user "v"`}, []string{"cannot be understood"}},
		{"a promotion without a test", with("user.vip"), "test", exitOK, []string{"68 of 68"}, []string{"no test expects anything of x"}},
		{"JSON", with("user.contry == 'US'"), "check --output json", exitCheck, []string{`"ok":false`, `"line":3`, `"code":"undeclared_field"`}, []string{"1 error"}},
		{"JSON of tests", nil, "test --output json", exitOK, []string{`"ok":true`, `"failed":0`}, nil},
		{"JUnit", map[string]string{"x_test.yaml": failing}, "test --output junit", exitTest, []string{`failures="1"`, "<failure"}, []string{"not met"}},
		{"JUnit of a check", with("user.contry == 'US'"), "check --output junit", exitCheck, []string{`failures="1"`}, []string{"1 error"}},
		{"JUnit of what has no cases", nil, "diff --output junit", exitUsage, nil, []string{"no test cases"}},
		{"a bad pattern", nil, "test --run (", exitUsage, nil, []string{"not a regular expression"}},
		{"no key", nil, "diff", exitUsage, nil, []string{"ELIGIBILITY_API_KEY"}},
		{"a publication of what does not check", with("user.contry == 'US'"), "publish", exitCheck, []string{"x.yaml:3:13"}, []string{"1 error"}},
		{"a server that is not there", nil, "diff --url http://127.0.0.1:1 --key-file project.yaml", exitUsage, nil, []string{"a key has no blanks"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := invoke(t, copyOf(t, examples, c.more), nil, append([]string{"promotions"}, strings.Fields(c.args)...)...)
			if got.code != c.code {
				t.Errorf("exit code %d, want %d", got.code, c.code)
			}
			contains(t, "standard output", got.out, c.out...)
			contains(t, "standard error", got.err, c.err...)
			if c.out == nil && got.out != "" || c.err == nil && got.err != "" {
				t.Errorf("output %q and errors %q: want one of them empty", got.out, got.err)
			}
		})
	}
	if got := invoke(t, t.TempDir(), nil, "promotions", "check"); got.code != exitUsage || !strings.Contains(got.err, "there is no project.yaml") {
		t.Errorf("a folder without a project: exit code %d, %s", got.code, got.err)
	}
}

// TestPromotionsOnAServer takes a folder through its life on a replica: declared, drafted, published, compared, rolled back, retired.
func TestPromotionsOnAServer(t *testing.T) {
	c := launch(t, t.TempDir(), "demo", "--no-traffic", "--users", "100")
	defer c.end(t, syscall.SIGTERM)
	env := []string{"ELIGIBILITY_URL=http://" + c.ready.AdminListen, "ELIGIBILITY_PROJECT=demo", "ELIGIBILITY_API_KEY=demo-admin-key"}
	const more = "id: spring\nname: Spring\nrule: user.spring\nplacements: [{placement: 201, priority: 1}]\ncontent: {title: t}\n"
	const declared = "project: demo\nattributes: [{name: spring, type: bool}]\neventTypes: [{name: seed_sown, properties: {kind: string}}]\n" +
		"context: [{name: season, type: string}]\nplacements: [{placement: 201, name: garden}]\n"
	dir := copyOf(t, "", map[string]string{"project.yaml": declared, "spring.yaml": more})
	write := func(old, new string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "spring.yaml"), []byte(strings.Replace(more, old, new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	step := func(name string, code int, line string, wants ...string) {
		t.Helper()
		got := invoke(t, dir, env, strings.Fields(line)...)
		if got.code != code {
			t.Errorf("%s: exit code %d, want %d; %s", name, got.code, code, got.err)
		}
		contains(t, name, got.out+got.err, wants...)
	}
	step("a new folder", exitOK, "promotions diff --only spring", "+ attribute spring", "+ event type seed_sown", "+ context field season", "+ placement 201", "+ spring\n")
	step("that differs", exitFailure, "promotions diff --only spring --exit-code", "differ")
	step("not published yet", exitOK, "promotions publish --only spring --dry-run", "+ spring")
	step("still new", exitOK, "promotions diff --only spring", "+ attribute spring")
	step("as drafts", exitOK, "promotions import", "declared placement 201", "wrote the draft of spring, revision 1", "1 draft written")
	step("again", exitOK, "promotions import", "0 drafts written, 1 is the same")
	step("a draft is not in force", exitOK, "promotions diff --only spring", "+ spring, overwrites draft 1")
	step("nobody has the attribute yet", exitFailure, "promotions publish --only spring", "matches none of the 100 users", "repeat with --confirm")
	step("published", exitOK, "promotions publish --only spring --confirm --comment first", "published spring, revision 1", "live on 1 of 1 replicas")
	step("nothing left to do", exitOK, "promotions publish --only spring", "1 promotion is the same in project demo")
	write("rule: user.spring", "rule: \"true\"")
	step("for everybody", exitFailure, "promotions publish --only spring", "~ spring (revision 1)", "- user.spring", "+ true", "repeat with --confirm")
	step("still the old one", exitFailure, "promotions diff --only spring --exit-code", "~ spring (revision 1)")
	step("confirmed", exitOK, "promotions publish --only spring --confirm --output json", `"published":["spring"]`, `"replicas":{"applied":1,"live":1}`)
	step("back", exitOK, "promotions rollback spring", "spring is at revision 1 again", "live on 1 of 1 replicas")
	step("back to what there is not", exitFailure, "promotions rollback spring --revision 9", "[revision_not_found]")
	step("a setting", exitOK, "promotions export out", "22 promotions written")
	step("which is the same", exitOK, "promotions diff out --exit-code", "22 promotions are the same")
	step("twice into one folder", exitUsage, "promotions export out", "is there already")
	step("by force", exitOK, "promotions export out --force --output json", `"promotions":22`)
	if err := os.Remove(filepath.Join(dir, "out/promotions/spring.yaml")); err != nil {
		t.Fatal(err)
	}
	step("one too many", exitOK, "promotions publish out", "- spring (only on the server)", "21 promotions are the same")
	step("retired", exitOK, "promotions publish out --retire", "retired spring")
	step("gone", exitOK, "promotions diff out --exit-code", "21 promotions are the same")
	step("an unknown promotion", exitFailure, "explain --user ada --promotion spring", "[")
	step("an unknown project", exitFailure, "promotions diff --project other", "[project_not_found]")
	step("the index", exitOK, "promotions index", "21 promotions", "EVALUATED PER USER", "user.country", "INTERPRETED", "WIDEST")
	step("of one", exitOK, "promotions index app-update", "version(", "by cel-go", "PLACEMENT", "of 100 sampled users")
	step("as JSON", exitOK, "promotions index app-update --output json", `"literals":[`, `"candidateRate":`)
	step("of none", exitFailure, "promotions index spring", "[")
	step("not a control plane", exitFailure, "promotions diff --url http://"+c.ready.OpsListen, "which no control plane does")

	got := invoke(t, dir, env, "explain", "--user", "ada", "--promotion", "app-update", "--context", "appVersion=5.9.0")
	contains(t, "the explanation", got.out, "ada does not qualify for app-update", "rule_false", `request.appVersion is '5.9.0'`, "placement 105: not shown: rule_false")
	got = invoke(t, dir, env, "explain", "--user", "ada", "--promotion", "app-update", "--output", "json")
	var view struct{ Reason string }
	if err := json.Unmarshal([]byte(got.out), &view); err != nil || view.Reason != "missing_attribute" {
		t.Errorf("explained as %q, %v: %s", view.Reason, err, got.out)
	}
	got = invoke(t, dir, append(env[:2:2], "ELIGIBILITY_API_KEY=no-such-key"), "promotions", "diff")
	if got.code != exitFailure || !strings.Contains(got.err, "is ELIGIBILITY_API_KEY a key of this server?") {
		t.Errorf("a wrong key: exit code %d, %s", got.code, got.err)
	}
}

// TestRulesAsCodePage runs every command of the page against the examples and a demo, and holds the last output against the page's expectations.
func TestRulesAsCodePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/rules-as-code.md")
	if err != nil {
		t.Fatal(err)
	}
	c := launch(t, t.TempDir(), "demo", "--no-traffic", "--users", "100")
	defer c.end(t, syscall.SIGTERM)
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "examples/shop"), os.DirFS(examples)); err != nil {
		t.Fatal(err)
	}
	var env []string
	var last result
	var line string
	commands, claims := 0, 0
	for text := range strings.Lines(string(page)) {
		text = strings.TrimSpace(text)
		if set, ok := strings.CutPrefix(text, "export "); ok {
			env = strings.Fields(strings.ReplaceAll(set, "127.0.0.1:8081", c.ready.AdminListen))
		}
		if args, ok := strings.CutPrefix(text, "eligibility "); ok {
			line = text
			last = invoke(t, dir, env, shellWords(t, args)...)
			if last.code != exitOK {
				t.Fatalf("%s: exit code %d, %s", line, last.code, last.err)
			}
			commands++
		}
		if claim, ok := strings.CutPrefix(text, "<!-- expect "); ok {
			claims++
			contains(t, line, last.out, strings.TrimSuffix(claim, " -->"))
		}
	}
	if commands < 10 || claims < 9 {
		t.Errorf("the page has only %d commands and %d claims: was it read?", commands, claims)
	}
}
