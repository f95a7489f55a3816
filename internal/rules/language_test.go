package rules

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"go.yaml.in/yaml/v3"
)

// languageNow is the instant of the examples: a Monday, noon in UTC.
var languageNow = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC).UnixNano()

func languageSchema(t testing.TB) *profile.Schema {
	t.Helper()
	s := profile.NewSchema()
	for _, a := range []struct{ name, typ string }{
		{"country", "string"},
		{"age", "int"},
		{"lifetimeValue", "double"},
		{"vip", "bool"},
		{"signedUpAt", "timestamp"},
		{"tags", "list<string>"},
		{"visits", "list<int>"},
		{"scores", "map<string,double>"},
		{"address.city", "string"},
		{"address.geo.lat", "double"},
	} {
		typ, err := profile.ParseType(a.typ)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = s.WithAttribute(a.name, typ, false); err != nil {
			t.Fatal(err)
		}
	}
	for name, properties := range map[string]map[string]profile.Type{
		"purchase": {
			"total": {Kind: profile.Double}, "category": {Kind: profile.String}, "items": {Kind: profile.Int},
			"gift": {Kind: profile.Bool}, "due": {Kind: profile.Timestamp},
		},
		"cart updated": {"size": {Kind: profile.Int}},
	} {
		var err error
		if s, err = s.WithEventType(name, properties); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

var languageContext = []ContextField{
	{Name: "platform", Type: profile.Type{Kind: profile.String}},
	{Name: "appVersion", Type: profile.Type{Kind: profile.String}},
	{Name: "locale", Type: profile.Type{Kind: profile.String}},
	{Name: "screen.width", Type: profile.Type{Kind: profile.Int}},
}

func languageEnv(t testing.TB) *env {
	t.Helper()
	e, err := newEnv(languageSchema(t), languageContext)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// languageUser is a user as the example file describes one.
type languageUser struct {
	Email      string
	TimeZone   string `yaml:"timeZone"`
	Consent    map[string]bool
	Attributes string
	Events     []struct {
		Name, Properties string
		At               time.Time
	}
	Truncated map[string]time.Time
}

func (u languageUser) snapshot(schema *profile.Schema, id string) *profile.Snapshot {
	var b profile.Builder
	b.Reset(schema, profile.Key{Project: "shop", User: id}, hlc.Timestamp{Wall: languageNow})
	b.Email(u.Email)
	b.TimeZone(u.TimeZone)
	for channel, given := range u.Consent {
		b.Consent(channel, given)
	}
	b.Attributes([]byte(u.Attributes))
	for _, e := range u.Events {
		b.Event(e.Name, e.At.UnixNano(), []byte(e.Properties))
	}
	for name, since := range u.Truncated {
		b.Truncated(name, since.UnixNano())
	}
	return b.Build()
}

func languageInput(snapshot *profile.Snapshot) *Input {
	return &Input{Snapshot: snapshot, Channel: "push", Now: languageNow, Context: []ContextValue{
		{Set: true, Text: "ios"}, {Set: true, Text: "5.2.0"}, {}, {Set: true, Bits: 390},
	}}
}

type languageFile struct {
	Users  map[string]languageUser
	Groups []struct {
		About string
		Cases [][3]string
	}
}

func readLanguage(t testing.TB) languageFile {
	t.Helper()
	text, err := os.ReadFile("testdata/language.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file languageFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

// outcomeText is what an evaluation gave, as the example file writes it.
func outcomeText(t testing.TB, program cel.Program, in *Input) string {
	t.Helper()
	value, _, err := program.Eval(in)
	if err != nil {
		code, detail := classify(err)
		return strings.TrimSpace(string(code) + " " + detail)
	}
	truth, ok := value.(types.Bool)
	if !ok {
		t.Fatalf("a rule gave %T", value)
	}
	return fmt.Sprint(bool(truth))
}

// TestRulesMeanWhatTheExamplesSay evaluates each example as planned for decisions, as planned for explanations, and as plain as the library
// does it: the three must agree.
func TestRulesMeanWhatTheExamplesSay(t *testing.T) {
	file := readLanguage(t)
	e := languageEnv(t)
	for _, group := range file.Groups {
		t.Run(group.About, func(t *testing.T) {
			for _, example := range group.Cases {
				name, rule, want := example[0], example[1], example[2]
				user, ok := file.Users[name]
				if !ok {
					t.Fatalf("no user %q in the file", name)
				}
				tree, issues := e.check(rule, checkLimits{})
				if tree == nil {
					t.Errorf("%s: refused: %+v", rule, issues)
					continue
				}
				in := languageInput(user.snapshot(e.schema, name))
				for kind, plan := range plans(t, e, tree) {
					if got := outcomeText(t, plan, in); got != want {
						t.Errorf("%s, asked of %s, %s: got %s, want %s", rule, name, kind, got, want)
					}
				}
			}
		})
	}
}

// plans are the ways to evaluate a rule.
func plans(t testing.TB, e *env, tree *cel.Ast) map[string]cel.Program {
	t.Helper()
	decide, err := e.program(tree.NativeRep())
	if err != nil {
		t.Fatal(err)
	}
	explain, err := e.explainProgram(tree.NativeRep())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := e.cel.PlanProgram(tree.NativeRep())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]cel.Program{"to decide": decide, "to explain": explain, "plainly": plain}
}
