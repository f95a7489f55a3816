package ruletest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"eligibility/internal/rulefile"
)

// TestExamples runs the tests of the example folder, as `make examples` does.
func TestExamples(t *testing.T) {
	folder := load(t, "../../examples/shop")
	if faults := folder.Check(); rulefile.Failed(faults) {
		t.Fatalf("the examples do not check: %v", faults)
	}
	report, err := Run(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range report.Cases {
		if c := &report.Cases[i]; c.Failed {
			t.Error(c.String())
		}
	}
	if !report.OK() || len(report.Cases) < 60 || len(report.Untested) > 0 || len(folder.Promotions) < 8 {
		t.Errorf("%d promotions, %d cases, faults %v, without a test: %v", len(folder.Promotions), len(report.Cases), report.Faults, report.Untested)
	}
}

func load(t *testing.T, dir string) *rulefile.Folder {
	t.Helper()
	folder, faults, err := rulefile.Load(dir)
	if err != nil || rulefile.Failed(faults) {
		t.Fatalf("faults %v, error %v", faults, err)
	}
	return folder
}

const project = `project: shop
attributes:
  - {name: country, type: string}
  - {name: age, type: int}
  - {name: address.city, type: string}
eventTypes:
  - {name: buy, properties: {total: double}}
context:
  - {name: cart, type: double}
  - {name: since, type: timestamp}
  - {name: beta, type: bool}
  - {name: visits, type: int}
placements:
  - {placement: 101, name: home}
`

const promotions = `
- {id: us, name: US, rule: "user.country == 'US'", placements: [{placement: 101, priority: 2}], channels: [push], content: {title: t}}
- {id: buyers, name: B, rule: "events.count('buy', days(30)) >= 201", placements: [{placement: 101, priority: 1}], content: {title: t}}
- {id: carts, name: C, rule: "request.cart > 1 && request.beta && request.visits > 2 && request.since < now", channels: [embedded], content: {title: t}}
- {id: past, name: P, rule: "events.first('buy').hasValue()", channels: [embedded], content: {title: t}}
`

// folderWith is the project above with a file of tests.
func folderWith(t *testing.T, tests string) *rulefile.Folder {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"project.yaml": project, "p.yaml": promotions, "x_test.yaml": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return load(t, dir)
}

func TestOutcomes(t *testing.T) {
	folder := folderWith(t, `
now: 2026-06-15T12:00:00Z
users:
  ann: {attributes: {country: US, age: 41, address: {city: Köln}}, consent: {push: true}, email: ANN@example.com, timeZone: Europe/Berlin}
  bob:
    attributes: {country: DE}
    events:
      - {name: buy, ago: 1h, properties: {total: 3}}
      - {name: buy, occurredAt: 2026-05-16T12:00:00Z} # at the edge of what is kept
tests:
  - name: as expected
    expect: {us: {ann: eligible, bob: rule_false}, buyers: {bob: not_eligible}, past: {ann: rule_false, bob: eligible}}
    shown: {ann: {101: [us]}, bob: {101: []}}
  - name: not as expected
    expect: {us: {ann: rule_false, bob: missing_attribute}}
    shown: {ann: {101: [buyers, us]}, bob: {101: [us]}}
  - name: on push
    channel: push
    expect: {us: {ann: eligible}, past: {bob: not_targeted}}
  - name: a request
    context: {cart: 1.5, beta: true, visits: 3, since: 2026-06-15T11:59:59Z}
    expect: {carts: {ann: eligible}}
  - name: much later
    now: 2026-08-15T12:00:00Z
    expect: {past: {bob: rule_false}}
`)
	report, err := Run(folder, nil)
	if err != nil || len(report.Faults) > 0 {
		t.Fatalf("faults %v, error %v", report.Faults, err)
	}
	var failed []string
	for i := range report.Cases {
		if c := &report.Cases[i]; c.Failed {
			failed = append(failed, fmt.Sprintf("%d:%d %s: got %s, want %s (%s)", c.Line, c.Column, c.Name, c.Got, c.Want, c.Detail))
		}
	}
	want := []string{
		`15:24 us of ann: got eligible, want rule_false ()`,
		`15:41 us of bob: got rule_false, want missing_attribute (user.country == "US")`,
		`16:24 ann in 101: got us, want buyers, us (buyers: rule_false, events.count("buy", days(30)) >= 201)`,
		`16:50 bob in 101: got nothing, want us (us: rule_false, user.country == "US")`,
	}
	if got := strings.Join(failed, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if report.Failed != len(want) || len(report.Untested) != 0 {
		t.Errorf("%d failed, untested %v", report.Failed, report.Untested)
	}
	only, err := Run(folder, regexp.MustCompile("^on push$"))
	if err != nil || len(only.Cases) != 2 || !only.OK() {
		t.Errorf("of one test: %+v, %v", only, err)
	}
}

func TestSlipsInTests(t *testing.T) {
	const head = "now: 2026-06-15T12:00:00Z\n"
	for _, c := range []struct{ name, tests, want string }{
		{"an unknown promotion", head + "users: {u: {}}\ntests: [{name: x, expect: {uss: {u: eligible}}}]\n", `3:28 there is no promotion "uss" did you mean us?`},
		{"an unknown user", head + "users: {ann: {}}\ntests: [{name: x, expect: {us: {anne: eligible}}}]\n", `3:33 there is no user "anne" did you mean ann?`},
		{"an unknown reason", head + "users: {u: {}}\ntests: [{name: x, expect: {us: {u: rule_fals}}}]\n", `3:36 "rule_fals" is neither eligible nor not_eligible nor a reason did you mean rule_false?`},
		{"a reason of ranking", head + "users: {u: {}}\ntests: [{name: x, expect: {us: {u: outranked}}}]\n", `3:36 "outranked" is neither`},
		{"an unknown placement", head + "users: {u: {}}\ntests: [{name: x, shown: {u: {7: []}}}]\n", `3:31 there is no placement "7"`},
		{"an unknown promotion that is shown", head + "users: {u: {}}\ntests: [{name: x, shown: {u: {101: [y]}}}]\n", `3:37 there is no promotion "y"`},
		{"an unknown user who is shown", head + "tests: [{name: x, shown: {u: {101: []}}}]\n", `2:27 there is no user "u"`},
		{"an unknown channel", head + "channel: pigeon\nusers: {u: {}}\ntests: [{name: x, expect: {us: {u: eligible}}}]\n", `2:10 there is no channel "pigeon"`},
		{"an undeclared attribute", head + "users: {u: {attributes: {contry: US}}}\n", `2:26 there is no attribute "contry" did you mean country?`},
		{"an undeclared nested attribute", head + "users: {u: {attributes: {address: {citi: X}}}}\n", `2:36 there is no attribute "address.citi" did you mean address.city?`},
		{"a built-in attribute", head + "users: {u: {attributes: {email: a@b.c}}}\n", `2:26 there is no attribute "email"`},
		{"an attribute of another type", head + "users: {u: {attributes: {age: old}}}\n", "2:31 want int"},
		{"an undeclared event", head + "users: {u: {events: [{name: bye, ago: 1h}]}}\n", `2:29 there is no event type "bye"`},
		{"an undeclared property", head + "users: {u: {events: [{name: buy, ago: 1h, properties: {totl: 1}}]}}\n", `2:56 there is no property "totl" did you mean total?`},
		{"a property of another type", head + "users: {u: {events: [{name: buy, ago: 1h, properties: {total: x}}]}}\n", "2:63 want double"},
		{"an undeclared context field", "now: 2026-06-15T12:00:00Z\ncontext: {crt: 1}\ntests: [{name: x, expect: {us: {}}}]\n", `2:11 there is no context field "crt" did you mean cart?`},
		{"a context field of another type", head + "context: {cart: lots}\ntests: [{name: x, expect: {us: {}}}]\n", "2:17 want double"},
		{"a time before time", head + "users: {u: {}}\ntests: [{name: x, now: 1066-10-14T00:00:00Z, expect: {us: {u: eligible}}}]\n", "3:24 a time lies between"},
		{"no e-mail address", head + "users: {u: {email: nobody}}\n", "2:20 this is no e-mail"},
		{"no time zone", head + "users: {u: {timeZone: Mars/Olympus}}\n", "2:23 use an IANA time zone"},
		{"consent to a channel that there is not", head + "users: {u: {consent: {pigeon: true}}}\n", `2:23 there is no channel "pigeon"`},
		{"a user id that there cannot be", head + "users: {\"a\\tb\": {}}\n", "2:17 a user id is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, err := Run(folderWith(t, c.tests), nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range report.Faults {
				got = append(got, fmt.Sprintf("%d:%d %s %s", f.Line, f.Column, f.Message, f.Suggestion))
			}
			if len(got) == 0 || !strings.Contains(got[0], c.want) || report.OK() {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestHistoriesAreCutAsByAStore: a test must not pass with events that a server would not have kept.
func TestHistoriesAreCutAsByAStore(t *testing.T) {
	var b strings.Builder
	b.WriteString("now: 2026-06-15T12:00:00Z\nusers:\n  u:\n    events:\n")
	for i := range 201 {
		fmt.Fprintf(&b, "      - {name: buy, ago: %dm}\n", i)
	}
	b.WriteString("tests: [{name: x, expect: {buyers: {u: events_truncated}, past: {u: events_truncated}}}]\n")
	report, err := Run(folderWith(t, b.String()), nil)
	if err != nil || !report.OK() || len(report.Cases) != 2 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestJUnit(t *testing.T) {
	folder := folderWith(t, "now: 2026-06-15T12:00:00Z\nusers: {u: {attributes: {country: US}}}\ntests: [{name: \"<&>\", expect: {us: {u: rule_false}, past: {u: rule_false}}}]\n")
	report, err := Run(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteJUnit(&out, folder, folder.Check(), report); err != nil {
		t.Fatal(err)
	}
	var back junitSuites
	if err := xml.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatalf("%s\n%v", out.String(), err)
	}
	if back.Tests != len(folder.Promotions)+2 || back.Failures != 1 || len(back.Suites) != 2 {
		t.Errorf("%d tests, %d failures in\n%s", back.Tests, back.Failures, out.String())
	}
	for _, want := range []string{`classname="&lt;&amp;&gt;"`, `message="got eligible, want rule_false"`, `line="3"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}
