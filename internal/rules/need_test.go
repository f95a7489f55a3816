package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"pgregory.net/rapid"
)

// TestWhatWouldChangeDoes does to random users what an explanation says would turn their verdict, by its published fields alone, and asks
// cel-go. Conditions that no single fact decides are passed over.
func TestWhatWouldChangeDoes(t *testing.T) {
	schema := worldSchema(t)
	rs := &Ruleset{Project: "p", Schema: schema, Context: worldContext, Retention: int64(worldRetention)}
	env, err := newEnv(schema, worldContext)
	if err != nil {
		t.Fatal(err)
	}
	d := &differential{t: t, env: env}
	kinds := make(map[NeedKind]int)
	explained, told := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"))
		source := w.condition(w.IntN(3))
		oracle := d.plain(source)
		if oracle == nil {
			return
		}
		for range 3 {
			p := w.person()
			p.broken = false
			clear(p.keep) // further events would push others out
			in := p.input(schema, true)
			before := evalOutcome(oracle, in)
			explanation, issues, err := Explain(rs, source, in)
			if err != nil || explanation == nil {
				t.Fatalf("explain %s: %v %v", source, issues, err)
			}
			if (explanation.Outcome == OutcomeTrue) != (before == isTrue) {
				t.Fatalf("%s is explained as %s and is %v", source, explanation.Outcome, before)
			}
			explained++
			if len(explanation.Ways) > 0 && explanation.Ways[0][0].Kind != NeedCondition {
				told++
			}
			for _, needs := range explanation.Ways {
				after, at, ok := p.with(needs, env)
				if !ok {
					continue
				}
				for i := range needs {
					kinds[needs[i].Kind]++
				}
				input := after.input(schema, true)
				input.Now = at
				if got := evalOutcome(oracle, input); (got == isTrue) == (before == isTrue) {
					t.Fatalf("%s for %s %+v was %v and is %v after %+v", source, objectJSON(p.attributes), p.events, before, got, needs)
				}
			}
			turns(t, source, oracle, in, explanation.Turn)
		}
	})
	t.Logf("%d explained, %d with a way told in full; what was done: %v", explained, told, kinds)
	for _, kind := range []NeedKind{NeedAttribute, NeedRequest, NeedEvent, NeedTime} {
		if kinds[kind] == 0 && explained >= 250 {
			t.Errorf("nothing of kind %s was ever asked for", kind)
		}
	}
}

// turns checks that a verdict turns at the nanosecond that was told, and not before.
func turns(t *rapid.T, source string, oracle cel.Program, in *Input, turn *Turn) {
	last := in.Now + int64(400*24*time.Hour)
	if turn != nil {
		last = turn.At.UnixNano()
	}
	holds := func(at int64) bool {
		later := *in
		later.Now = at
		return evalOutcome(oracle, &later) == isTrue
	}
	present := holds(in.Now)
	for _, at := range append(probes(t, in.Now, last-1), max(last-1, in.Now)) {
		if holds(at) != present {
			t.Fatalf("%s turns at %s already, not at %s", source, stampText(at), stampText(last))
		}
	}
	if turn != nil && !turn.NotBefore && holds(last) == present {
		t.Fatalf("%s does not turn at %s", source, stampText(last))
	}
}

// with is the person after all the needs were met, and when to ask; false when one of them cannot be.
func (p *person) with(needs []Need, e *env) (*person, int64, bool) {
	after, at := *p, p.base
	after.attributes, after.events, after.context = maps.Clone(p.attributes), slices.Clone(p.events), slices.Clone(p.context)
	after.consent = maps.Clone(p.consent)
	for _, need := range needs {
		switch need.Kind {
		case NeedTime:
			at = need.At.UnixNano()
		case NeedEvent:
			for range need.Count {
				after.events = append(after.events, happened{name: need.EventType, at: need.At.UnixNano(), properties: string(need.Properties)})
			}
		case NeedAttribute:
			if !after.set(strings.TrimPrefix(need.Attribute, "user."), need.Example, e) {
				return nil, 0, false
			}
		case NeedRequest:
			after.ask(need, e)
		default:
			return nil, 0, false
		}
	}
	return &after, at, true
}

func (p *person) set(name, example string, e *env) bool {
	value, ok := written(example, e)
	channel, isConsent := strings.CutPrefix(name, "consent.")
	text, _ := value.(types.String)
	switch {
	case !ok && example != "missing":
		return false // shortened for people
	case name == "email":
		p.email = string(text)
	case name == "timeZone":
		p.zone = string(text)
	case isConsent && ok:
		p.consent[channel] = value == types.True
	case isConsent:
		delete(p.consent, channel)
	case ok:
		p.attributes[name] = valueJSON(value)
	default:
		delete(p.attributes, name)
	}
	return true
}

func (p *person) ask(need Need, e *env) {
	value, ok := written(need.Example, e)
	if need.Attribute == varChannel {
		p.channel = string(value.(types.String))
		return
	}
	slot := slices.IndexFunc(worldContext, func(f ContextField) bool { return need.Attribute == "request."+f.Name })
	for len(p.context) <= slot {
		p.context = append(p.context, ContextValue{})
	}
	if !ok {
		p.context[slot] = ContextValue{}
		return
	}
	p.context[slot] = contextWord(worldContext[slot].Type.Kind, valueJSON(value))
}

// written reads a value as the rule language writes it.
func written(text string, e *env) (ref.Val, bool) {
	checked, issues := e.cel.Compile(text)
	if issues.Err() != nil {
		return nil, false
	}
	program, err := e.cel.Program(checked)
	if err != nil {
		return nil, false
	}
	value, _, err := program.Eval(&Input{Snapshot: new(profile.Snapshot)})
	return value, err == nil
}

func valueJSON(value ref.Val) string {
	switch v := value.(type) {
	case types.String:
		return stringJSON(string(v))
	case types.Timestamp:
		return stringJSON(v.Format(time.RFC3339Nano))
	case traits.Mapper:
		var items []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			items = append(items, valueJSON(key)+":"+valueJSON(v.Get(key)))
		}
		return "{" + strings.Join(items, ",") + "}"
	case traits.Lister:
		var items []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			items = append(items, valueJSON(it.Next()))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return literalText(value)
}

// TestWhatWouldChangeIsToldInWords holds what is told about one user against what a marketer should read.
func TestWhatWouldChangeIsToldInWords(t *testing.T) {
	schema := worldSchema(t)
	rs := &Ruleset{Project: "p", Schema: schema, Context: worldContext, Retention: int64(worldRetention)}
	p := &person{base: bases()[0], channel: "embedded", attributes: map[string]string{"country": `"US"`, "spent": "80", "age": "35", "tags": `["a"]`}}
	p.events = []happened{{name: "cart updated", at: p.base - int64(6*time.Minute)}, {name: "buy", at: p.base - int64(time.Hour), properties: `{"total":12.5}`}}
	for _, tt := range []struct{ name, rule, want, turn string }{
		{
			"an abandoned cart is so by waiting", "!events.exists('cart updated', duration('30m')) && events.exists('cart updated', days(1))",
			"in 24m, when there was no cart updated for 30m", "in 24m, when there was no cart updated for 30m",
		},
		{"more must be spent", "user.spent > 100.0", "user.spent is 80.0; needed: > 100.0", ""},
		{"NOT is turned into the opposite", "!(user.spent < 100.0)", "user.spent is 80.0; needed: >= 100.0", ""},
		{"both bounds are told", "user.age > 20 && user.age < 30", "user.age is 35; needed: > 20 and < 30", ""},
		{"the nearest of two", "user.country == 'DE' || user.country == 'FR' && user.spent > 100.0", "user.country is 'US'; needed: == 'DE'", ""},
		{"what is missing", "user.name == 'Zoë'", "user.name is missing; needed: == 'Zoë'", ""},
		{"an element of a list", "'b' in user.tags", "user.tags is ['a']; needed: with 'b'", ""},
		{"one of several", "user.country in ['DE', 'FR']", "user.country is 'US'; needed: one of ['DE', 'FR']", ""},
		{"a further event", "events.count('buy', days(30)) >= 2", "1 more buy within 720h", ""},
		{"several further events", "events.count('buy', days(7)) >= 4", "3 more buy within 168h", ""},
		{"an event with a property", "events.exists('buy', days(1), e, e.total > 50.0)", "1 more buy with total 50.01 within 24h", ""},
		{"a sum", "events.sum('buy', 'total', days(1)) >= 100.0", "1 more buy with total 87.5 within 24h", ""},
		{
			"before a window and within a longer one", "events.count('view', days(7)) >= 1 && events.count('view', days(1)) == 0",
			"1 more view within 168h, but not within 24h", "",
		},
		{"the channel", "channel == 'push'", "channel is 'embedded'; needed: == 'push'", ""},
		{"the request", "request.platform == 'ios'", "request.platform is missing; needed: == 'ios'", ""},
		{"waiting and a fact", "events.count('buy', days(1)) == 0 && user.spent > 100.0", "in 23h, when there was no buy for 24h; user.spent is 80.0; needed: > 100.0", ""},
		{"what no single fact decides", "user.age + user.big > 100", "user.age + user.big > 100 would have to be true", ""},
		{"what ends it", "user.country == 'US' && events.count('buy', days(1)) >= 1", "user.country is 'US'; needed: != 'US'", "in 23h, when there was no buy for 24h"},
		{"what never changes", "false", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			explanation, issues, err := Explain(rs, tt.rule, p.input(schema, true))
			if err != nil || explanation == nil {
				t.Fatalf("explain: %v %v", issues, err)
			}
			var got []string
			if len(explanation.Ways) > 0 {
				for _, need := range explanation.Ways[0] {
					got = append(got, need.Text)
				}
			}
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("%s: told %q, want %q (all: %s)", tt.rule, text, tt.want, fmt.Sprint(explanation.Ways))
			}
			turn := ""
			if explanation.Turn != nil {
				turn = explanation.Turn.Text
			}
			if turn != tt.turn {
				t.Errorf("%s: turns %q, want %q", tt.rule, turn, tt.turn)
			}
		})
	}
}

func TestNextTurnGivesUp(t *testing.T) {
	for name, tt := range map[string]struct {
		step   int64
		turned bool
		want   int64
	}{
		"an answer that may change at any moment":   {0, false, 100},
		"an answer whose edges never turn it":       {1, false, 100 + maxTurnSteps},
		"an answer that turns at its seventh edges": {10, true, 170},
	} {
		t.Run(name, func(t *testing.T) {
			at, turned, ok := NextTurn(100, func(at int64) (bool, int64) { return at >= 170, at + tt.step })
			if !ok || at != tt.want || turned != tt.turned {
				t.Errorf("at %d, turned %t, ok %t", at, turned, ok)
			}
		})
	}
	if _, _, ok := NextTurn(100, func(int64) (bool, int64) { return true, Forever }); ok {
		t.Error("what never changes turns")
	}
}
