package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"pgregory.net/rapid"
)

// base is the instant around which test histories happen.
var base = time.Date(2026, 6, 18, 12, 0, 0, 0, time.UTC).UnixNano()

// shop is the schema that the semantics tests use: one attribute of each kind, one event type.
func shop(t testing.TB) *profile.Schema {
	t.Helper()
	s := profile.NewSchema()
	for name, typ := range map[string]string{
		"country": "string", "age": "int", "spent": "double", "vip": "bool", "seen": "timestamp", "tags": "list<string>", "address.city": "string",
	} {
		parsed, err := profile.ParseType(typ)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = s.WithAttribute(name, parsed, false); err != nil {
			t.Fatal(err)
		}
	}
	s, err := s.WithEventType("buy", map[string]profile.Type{"total": {Kind: profile.Double}, "kind": {Kind: profile.String}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var shopContext = []ContextField{
	{Name: "platform", Type: profile.Type{Kind: profile.String}}, {Name: "beta", Type: profile.Type{Kind: profile.Bool}},
}

// bench is a compiled rule beside cel-go's own program of the whole text: the oracle.
type bench struct {
	rule   *Rule
	oracle cel.Program
}

func compileBoth(t failer, schema *profile.Schema, source string) bench {
	t.Helper()
	c := NewCompiler(720 * time.Hour)
	e, err := c.env(schema, shopContext)
	if err != nil {
		t.Fatal(err)
	}
	rule, issues := c.rule(e, source)
	if rule == nil {
		t.Fatalf("rule %s does not check: %+v", source, issues)
	}
	checked, _ := e.check(source, checkLimits{retention: 720 * time.Hour})
	oracle, err := e.program(checked.NativeRep())
	if err != nil {
		t.Fatal(err)
	}
	return bench{rule, oracle}
}

func (b bench) oracleSays(in *Input) outcome {
	value, _, err := b.oracle.Eval(in)
	if err != nil {
		return isError
	}
	return outcomeOf(value == types.True)
}

// atoms are the leaves of generated rules: each shape that is typed, and shapes that are not.
func atoms() *rapid.Generator[string] {
	country := rapid.SampledFrom([]string{"'US'", "'DE'", "''"})
	op := rapid.SampledFrom([]string{"==", "!=", "<", "<=", ">", ">="})
	window := rapid.SampledFrom([]string{"duration('10s')", "duration('1m')", "hours(1)"})
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(0, 3).Draw(t, "n")
		o, w, c := op.Draw(t, "op"), window.Draw(t, "w"), country.Draw(t, "c")
		return rapid.SampledFrom([]string{
			"user.country " + o + " " + c, c + " " + o + " user.country", "user.country in ['US', 'FR', " + c + "]",
			fmt.Sprintf("user.age %s %d", o, n*20), fmt.Sprintf("user.age %s %d.5", inequality(o), n), fmt.Sprintf("user.spent %s %d.0", o, n),
			fmt.Sprintf("user.spent %s %d", inequality(o), n), "user.vip", "user.vip == " + fmt.Sprint(n > 1), "'a' in user.tags",
			"has(user.country)", "has(user.address)", "has(user.address.city)", "user.address.city != 'Bonn'",
			"user.id == 'u'", "channel == 'push'", "request.platform == 'ios'", "request.beta",
			fmt.Sprintf("events.count('buy', %s) %s %d", w, o, n), fmt.Sprintf("%d %s events.count('buy', %s)", n, o, w), "events.exists('buy', " + w + ")",
			fmt.Sprintf("events.count('buy', %s, e, e.total > %d.0) %s %d", w, n, o, n), fmt.Sprintf("events.sum('buy', 'total', %s) %s %d.0", w, o, n*2),
			"events.last('buy').hasValue()", "events.last('buy').value() " + inequality(o) + " now - " + w, "events.first('buy').value() + " + w + " " + o + " now",
			"events.max('buy', 'total', " + w + ").orValue(1.0) > 1.0", "now " + o + " user.seen", "now - user.seen " + o + " " + w, "user.seen - now " + o + " " + w,
			"now.getSeconds() > 30", "now.getHours('Asia/Kolkata') >= 18", "now.getDayOfWeek() == 4", "user.?country.orValue('US') == 'US'",
			"1 / user.age > 0", "bucket('s') < 5000", "user.tags.exists(x, x == 'b')", "size(user.country) == 2",
		}).Draw(t, "atom")
	})
}

// inequality turns == and != into < for operands that the language does not compare for equality.
func inequality(op string) string {
	if op == "==" || op == "!=" {
		return "<"
	}
	return op
}

func ruleTexts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string { return drawRule(t, rapid.IntRange(0, 3).Draw(t, "depth")) })
}

func drawRule(t *rapid.T, depth int) string {
	if depth == 0 {
		return atoms().Draw(t, "leaf")
	}
	kid := func() string { return "(" + drawRule(t, depth-1) + ")" }
	switch rapid.IntRange(0, 4).Draw(t, "form") {
	case 0:
		return "!" + kid()
	case 1:
		return kid() + " ? " + kid() + " : " + kid()
	case 2:
		return strings.Join([]string{kid(), kid(), kid()}, " && ")
	case 3:
		return strings.Join([]string{kid(), kid(), kid()}, " || ")
	default:
		return kid() + " == " + kid()
	}
}

func snapshots(schema *profile.Schema) *rapid.Generator[*profile.Snapshot] {
	return rapid.Custom(func(t *rapid.T) *profile.Snapshot {
		var b profile.Builder
		b.Reset(schema, profile.Key{Project: "p", User: "u"}, hlc.Timestamp{Wall: base})
		var parts []string
		for _, p := range []string{
			rapid.SampledFrom([]string{`"country":"US"`, `"country":"DE"`, `"country":""`, `"country":5`, ""}).Draw(t, "country"),
			rapid.SampledFrom([]string{`"age":0`, `"age":20`, `"age":60`, `"age":1.5`, ""}).Draw(t, "age"),
			rapid.SampledFrom([]string{`"spent":0`, `"spent":-0.0`, `"spent":2.5`, `"spent":3`, ""}).Draw(t, "spent"),
			rapid.SampledFrom([]string{`"vip":true`, `"vip":false`, ""}).Draw(t, "vip"),
			rapid.SampledFrom([]string{`"tags":["a","b"]`, `"tags":[]`, `"tags":[1]`, ""}).Draw(t, "tags"),
			rapid.SampledFrom([]string{`"address":{"city":"Bonn"}`, `"address":{}`, ""}).Draw(t, "city"),
			rapid.SampledFrom([]string{"", `"seen":"2026-06-18T12:00:30Z"`, `"seen":"2026-06-18T11:59:00Z"`}).Draw(t, "seen"),
		} {
			if p != "" {
				parts = append(parts, p)
			}
		}
		b.Attributes([]byte("{" + strings.Join(parts, ",") + "}"))
		b.TimeZone(rapid.SampledFrom([]string{"", "America/New_York", "Nowhere/At_All"}).Draw(t, "zone"))
		for range rapid.IntRange(0, 5).Draw(t, "events") {
			at := base + int64(rapid.SampledFrom([]time.Duration{-719 * time.Hour, -time.Hour, -time.Minute, -time.Minute + 1, -10 * time.Second, -1, 0, 1, 5 * time.Second}).Draw(t, "at"))
			b.Event("buy", at, []byte(rapid.SampledFrom([]string{`{"total":1.5}`, `{"total":3,"kind":"x"}`, `{}`}).Draw(t, "props")))
		}
		return b.Build()
	})
}

func inputs(schema *profile.Schema) *rapid.Generator[*Input] {
	return rapid.Custom(func(t *rapid.T) *Input {
		in := &Input{Snapshot: snapshots(schema).Draw(t, "snapshot"), Now: base, Retention: int64(720 * time.Hour), Channel: rapid.SampledFrom([]string{"push", "embedded"}).Draw(t, "channel")}
		if rapid.Bool().Draw(t, "hasContext") {
			in.Context = []ContextValue{{Set: true, Text: "ios"}, {Set: rapid.Bool().Draw(t, "betaSet"), Bits: 1}}
		}
		return in
	})
}

// TestFormulaIsWhatCELSays is law L6: whatever stands in front, the answer is cel-go's on the same input.
func TestFormulaIsWhatCELSays(t *testing.T) {
	schema := shop(t)
	rapid.Check(t, func(t *rapid.T) {
		source := ruleTexts().Draw(t, "rule")
		b := compileBoth(t, schema, source)
		for range 20 {
			in := inputs(schema).Draw(t, "input")
			want := b.oracleSays(in)
			if got := b.rule.Eval(in).True; got != (want == isTrue) {
				t.Fatalf("rule %s: formula says %t, cel-go %v", source, got, want)
			}
			if b.rule.formula.holds(in) != (want == isTrue) {
				t.Fatalf("rule %s: holds differs from truth", source)
			}
			if value, part, _ := b.rule.formula.why(in); value != want || part == nil {
				t.Fatalf("rule %s: why says %v with part %v, cel-go %v", source, value, part, want)
			}
		}
	})
}

// TestNothingChangesBeforeItsHorizon is law L5: at no instant before Until does the answer differ.
func TestNothingChangesBeforeItsHorizon(t *testing.T) {
	schema := shop(t)
	rapid.Check(t, func(t *rapid.T) {
		source := ruleTexts().Draw(t, "rule")
		b := compileBoth(t, schema, source)
		for range 10 {
			in := inputs(schema).Draw(t, "input")
			v := b.rule.Eval(in)
			if v.Until < in.Now {
				t.Fatalf("rule %s: horizon %d lies before now", source, v.Until)
			}
			last := min(v.Until, in.Now+int64(100*24*time.Hour)) - 1
			for _, probe := range probes(t, in.Now, last) {
				later := *in
				later.Now = probe
				if got := b.oracleSays(&later) == isTrue; got != v.True {
					t.Fatalf("rule %s: %t at %d until %d, but %t at +%v", source, v.True, in.Now, v.Until, got, time.Duration(probe-in.Now))
				}
			}
		}
	})
}

// probes are instants in (now, last]: the last one, likely edges, and random ones.
func probes(t *rapid.T, now, last int64) []int64 {
	var out []int64
	for _, d := range []time.Duration{1, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, time.Hour, 24 * time.Hour, 720 * time.Hour} {
		for _, at := range []int64{now + int64(d) - 1, now + int64(d), now + int64(d) + 1} {
			if at > now && at <= last {
				out = append(out, at)
			}
		}
	}
	if last > now {
		out = append(out, last, rapid.Int64Range(now+1, last).Draw(t, "probe"))
	}
	return out
}

// failer is what a test and a property have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}
