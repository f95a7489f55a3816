package rulefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"eligibility/internal/rules"
)

// folderOf writes files, by path, into a folder of its own.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const goodProject = "project: shop\nattributes: [{name: country, type: string}]\nplacements: [{placement: 101, name: home}]\n"

func TestFaultsOfFiles(t *testing.T) {
	const good = "id: a\nname: A\nrule: \"true\"\nplacements: [{placement: 101, priority: 1}]\ncontent: {title: t}\n"
	for _, c := range []struct {
		name  string
		file  string // of the one that is wrong
		text  string
		wants []string // line:column code message…
	}{
		{"fine", "a.yaml", good, nil},
		{"empty", "a.yaml", "# nothing yet\n", nil},
		{"several documents", "a.yaml", good + "---\n" + strings.Replace(good, "id: a", "id: b", 1), nil},
		{"no YAML", "a.yaml", "id: a\n  name: b\n", []string{"2:3 yaml_syntax this is not YAML"}},
		{"no UTF-8", "a.yaml", "id: \xff\n", []string{"1:1 yaml_syntax"}},
		{"a misspelt key", "a.yaml", strings.Replace(good, "name:", "nmae:", 1), []string{"2:1 unknown_key there is no key \"nmae\""}},
		{"a key in another case", "a.yaml", strings.Replace(good, "name:", "Name:", 1), []string{"2:1 unknown_key"}},
		{"a misspelt key far inside", "a.yaml", strings.Replace(good, "priority", "prio", 1), []string{"4:31 unknown_key"}},
		{"a key twice", "a.yaml", good + "name: B\n", []string{"6:1 duplicate_key \"name\" stands here for the second time, after line 2"}},
		{"a text for a number", "a.yaml", strings.Replace(good, "priority: 1", "priority: one", 1), []string{`4:41 wrong_type want a whole number, got "one"`}},
		{"a number too large", "a.yaml", strings.Replace(good, "priority: 1", "priority: 3000000000", 1), []string{"4:41 wrong_type"}},
		{"a list for a text", "a.yaml", strings.Replace(good, "name: A", "name: [A]", 1), []string{"2:7 wrong_type want text, got a list"}},
		{"keys for a list", "a.yaml", good + "channels: {a: b}\n", []string{"6:11 wrong_type want a list, got keys and values"}},
		{"a bad duration", "a.yaml", good + "frequencyCap: {impressions: 1, per: 7d}\n", []string{"6:37 wrong_type want a duration"}},
		{"a bad time", "a.yaml", good + "schedule: {start: 2026-06-15}\n", []string{"6:19 wrong_type want a time"}},
		{"not a number", "a.yaml", good + "holdout: {percent: .nan, salt: s}\n", []string{"6:20 wrong_type want a number"}},
		{"a merge key", "a.yaml", "<<: {id: a}\n", []string{"1:1 wrong_type", "1:1 missing"}[:1]},
		{"all faults at once", "a.yaml", "id: [a]\nname: {}\nrul: x\n", []string{"1:5 wrong_type", "2:7 wrong_type", "3:1 unknown_key"}},
		{"no id", "a.yaml", "name: A\n", []string{"1:1 missing give the promotion an id"}},
		{"a text for a promotion", "a.yaml", "hello\n", []string{"1:1 wrong_type"}},
		{"an id twice", "a.yaml", good + "---\n" + good, []string{"7:5 duplicate promotion a stands also at"}},
		{"a promise of more than there is", "a.yaml", bomb(), []string{"too_large"}},

		{"a project without a name", "project.yaml", "placements: []\n", []string{"1:1 missing say which project"}},
		{"a bad name", "project.yaml", "project: My Shop\n", []string{"1:10 declaration a project name is"}},
		{"a type that there is not", "project.yaml", "project: s\nattributes: [{name: a, type: text}]\n", []string{"2:30 wrong_type unknown type \"text\"", "2:14 missing"}},
		{"an attribute twice", "project.yaml", "project: s\nattributes: [{name: a, type: int}, {name: a, type: bool}]\n", []string{"2:43 declaration attribute \"a\" is int"}},
		{"a list as a property", "project.yaml", "project: s\neventTypes: [{name: e, properties: {x: list<int>}}]\n", []string{"2:21 declaration"}},
		{"a context field of another type", "project.yaml", "project: s\ncontext: [{name: platform, type: int}]\n", []string{"2:18 declaration"}},
		{"a placement twice", "project.yaml", "project: s\nplacements: [{placement: 1, name: a}, {placement: 1, name: b}]\n", []string{"2:51 duplicate"}},
		{"a placement without a name", "project.yaml", "project: s\nplacements: [{placement: 1}]\n", []string{"2:14 declaration a name is"}},
		{"a setting that there is not", "project.yaml", "project: s\nsettings: {onStoreDown: hope}\n", []string{"2:25 declaration use fail_closed or serve_stale"}},
		{"two projects", "project.yaml", "project: s\n---\nproject: t\n", []string{"3:1 duplicate"}},

		{"a test without a time", "a_test.yaml", "users: {}\ntests: []\n", []string{"1:1 missing say when"}},
		{"an event without a time", "a_test.yaml", "now: 2026-01-01T00:00:00Z\nusers: {u: {events: [{name: x}]}}\n", []string{"2:22 missing say when it happened"}},
		{"an event with two times", "a_test.yaml", "now: 2026-01-01T00:00:00Z\nusers: {u: {events: [{name: x, ago: 1h, occurredAt: 2026-01-01T00:00:00Z}]}}\n", []string{"2:22 missing"}},
		{"a test of nothing", "a_test.yaml", "now: 2026-01-01T00:00:00Z\ntests: [{name: x}]\n", []string{"2:9 missing say what is expected"}},
		{"a test without a name", "a_test.yaml", "now: 2026-01-01T00:00:00Z\ntests: [{expect: {a: {u: eligible}}}]\n", []string{"2:9 missing give the test a name"}},
		{"a placement that is no number", "a_test.yaml", "now: 2026-01-01T00:00:00Z\ntests: [{name: x, shown: {u: {home: [a]}}}]\n", []string{"2:31 wrong_type want a whole number"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"project.yaml": goodProject}
			files[c.file] = c.text
			_, faults, err := Load(folderOf(t, files))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range faults {
				got = append(got, fmt.Sprintf("%d:%d %s %s", f.Line, f.Column, f.Code, f.Message))
			}
			for _, want := range c.wants {
				if !slices.ContainsFunc(got, func(g string) bool { return strings.Contains(g, want) }) {
					t.Errorf("got %q, want one with %q", got, want)
				}
			}
			if len(c.wants) == 0 && len(got) > 0 || len(got) > len(c.wants) && c.name != "a promise of more than there is" {
				t.Errorf("got %q, want %d", got, len(c.wants))
			}
		})
	}
}

// bomb is a file whose aliases say a billion things.
func bomb() string {
	var b strings.Builder
	b.WriteString("id: a\nname: A\ncontent:\n  title: t\n  payload:\n    a: &a [x, x, x, x, x, x, x, x, x, x]\n")
	for c := 'b'; c <= 'j'; c++ {
		fmt.Fprintf(&b, "    %c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	return b.String()
}

func TestFolders(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		err   error
	}{
		{"no project", map[string]string{"a.yaml": "id: a\n"}, ErrNoProject},
		{"a project elsewhere", map[string]string{"x/project.yaml": goodProject}, ErrNoProject},
		{"a project within the project", map[string]string{"project.yaml": goodProject, "x/project.yaml": goodProject, "x/a.yaml": "]"}, nil},
		{"hidden files and other files", map[string]string{"project.yaml": goodProject, ".git/x.yaml": "]", ".x.yaml": "]", "notes.txt": "]"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := Load(folderOf(t, c.files)); !errors.Is(err, c.err) {
				t.Errorf("got %v, want %v", err, c.err)
			}
		})
	}
	if _, _, err := Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestIssuesStandInTheirFiles: every issue of a promotion is told where an author would look for it.
func TestIssuesStandInTheirFiles(t *testing.T) {
	dir := folderOf(t, map[string]string{"project.yaml": goodProject, "p/a.yaml": `- id: a
  name: A
  rule: >-
    user.country == 'US' &&
    user.contry == 'DE'
  placements: [{placement: 102, priority: 1}]
  content: {title: t, mediaUrl: "ftp://x"}
- {id: b, name: B, rule: 'user.country', channels: [push]}
`})
	folder, faults, err := Load(dir)
	if err != nil || len(faults) > 0 {
		t.Fatalf("faults %v, error %v", faults, err)
	}
	var got []string
	for _, f := range folder.Check() {
		got = append(got, fmt.Sprintf("%s %d:%d+%d %s", f.Promotion, f.Line, f.Column, f.Length, f.Code))
		if f.File != filepath.Join(dir, "p/a.yaml") || f.Severity != rules.SeverityError {
			t.Errorf("%+v", f)
		}
	}
	want := []string{"a 5:10+6 undeclared_field", "a 6:28+3 undeclared_placement", "a 7:33+9 url_not_allowed", "b 8:3+0 missing", "b 8:27+12 must_be_bool"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	text := folder.Check()[0].String()
	if wanted := "    user.contry == 'DE'\n         ^~~~~~\n"; !strings.Contains(text, wanted) {
		t.Errorf("%s\nlacks\n%s", text, wanted)
	}
}
