package rules

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// evaluations is how many (rule, user, instant) are compared: a million, or ELIGIBILITY_TEST_EVALUATIONS.
func evaluations(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("ELIGIBILITY_TEST_EVALUATIONS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("ELIGIBILITY_TEST_EVALUATIONS: %v", err)
		}
		return n
	}
	if testing.Short() {
		return 50_000
	}
	return 1_000_000
}

// TestEngineAgreesWithCEL is laws L6 and L5 at scale: for random rules, users and instants the engine says what cel-go's plain program of the whole rule
// says, true, false or error, and no answer changes before its horizon.
//
// Where the store cut a history the engine may know more than the program, which then fails: what it says must be what the program says of the
// whole history.
func TestEngineAgreesWithCEL(t *testing.T) {
	total := evaluations(t)
	began := time.Now()
	seed := uint64(began.UnixNano())
	workers := runtime.GOMAXPROCS(0)
	tallies := make([]comparisons, workers)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			d := newDifferential(t, seed+uint64(i))
			for d.evaluations < total/workers+1 {
				if d.failure = d.round(10, sound); d.failure != "" {
					break
				}
			}
			tallies[i] = d.comparisons
		})
	}
	group.Wait()
	var all comparisons
	for i := range tallies {
		all.add(&tallies[i])
		if tallies[i].failure != "" {
			t.Errorf("seed %d: %s", seed+uint64(i), tallies[i].failure)
		}
	}
	t.Logf("seed %d: %v in %v", seed, &all, time.Since(began).Round(time.Millisecond))
	if !t.Failed() && (all.evaluations < total || all.held < all.evaluations/20 || all.failed < all.evaluations/20 || total >= 1_000_000 && all.settled == 0) {
		t.Errorf("the comparison compares too little: %v", &all)
	}
}

// comparisons counts what was compared.
type comparisons struct {
	rules, refused           int
	evaluations              int // engine and program
	held, failed             int // of them
	settled                  int // where the program failed on a cut history and the engine knew
	horizons, probes, turned int // finite horizons; instants before a horizon at which the answer was asked again; horizons at which it did turn
	failure                  string
}

func (c *comparisons) add(o *comparisons) {
	c.rules, c.refused, c.evaluations = c.rules+o.rules, c.refused+o.refused, c.evaluations+o.evaluations
	c.held, c.failed, c.settled = c.held+o.held, c.failed+o.failed, c.settled+o.settled
	c.horizons, c.probes, c.turned = c.horizons+o.horizons, c.probes+o.probes, c.turned+o.turned
}

func (c *comparisons) String() string {
	return fmt.Sprintf("%d evaluations of %d rules (%d true, %d false, %d errors, %d settled in spite of a cut history; %d texts refused), %d probes before %d finite horizons, %d of which turned the answer",
		c.evaluations, c.rules, c.held, c.evaluations-c.held-c.failed, c.failed, c.settled, c.refused, c.probes, c.horizons, c.turned)
}

// differential compares an engine with cel-go.
type differential struct {
	comparisons
	t        testing.TB
	w        world
	schema   *profile.Schema
	compiler *Compiler
	env      *env
	persons  []*person
	cut      []*Input // the persons as they are loaded
	whole    []*Input // with everything that ever happened; nil when nothing was cut
}

func newDifferential(t testing.TB, seed uint64) *differential {
	t.Helper()
	d := &differential{t: t, w: newWorld(seed), schema: worldSchema(t), compiler: NewCompiler(worldRetention)}
	var err error
	if d.env, err = d.compiler.env(d.schema, worldContext); err != nil {
		t.Fatal(err)
	}
	for range 400 {
		p := d.w.person()
		var whole *Input
		if len(p.keep) > 0 {
			whole = p.input(d.schema, true)
		}
		d.persons, d.cut, d.whole = append(d.persons, p), append(d.cut, p.input(d.schema, false)), append(d.whole, whole)
	}
	return d
}

// engine is what is compared: the real one, or one that is wrong on purpose.
type engine struct {
	source func(rule string) string // the text that the engine reads in place of the rule
	change func(f *formula)         // applied to every literal and junction of the compiled rule
	eval   func(r *Rule, in *Input) (value outcome, until int64)
}

// sound is the engine as it is.
var sound = engine{eval: func(r *Rule, in *Input) (outcome, int64) {
	v := r.Eval(in)
	value, part, _ := r.formula.why(in)
	if part == nil || v.True != (value == isTrue) || v.True != r.formula.holds(in) {
		return isError, -1 // no horizon is: the three walks over the formula differ
	}
	return value, v.Until
}}

// round compares one rule on some users; it returns what differs.
func (d *differential) round(users int, e engine) string {
	source := d.w.rule()
	read := source
	if e.source != nil {
		read = e.source(source)
	}
	oracle := d.plain(source)
	rule, _ := d.compiler.rule(d.env, read)
	if oracle == nil || rule == nil {
		if oracle != nil && e.source == nil {
			return fmt.Sprintf("%s checks but does not compile", source)
		}
		d.refused++
		return ""
	}
	d.rules++
	if e.change != nil {
		e.change(&rule.formula)
	}
	for range users {
		if failure := d.compare(source, rule, oracle, d.w.IntN(len(d.persons)), e); failure != "" {
			return failure
		}
	}
	return ""
}

// plain is cel-go's program of the whole rule, with nothing of ours in front: no optimisation, no constants folded.
func (d *differential) plain(source string) cel.Program {
	checked, issues := d.env.check(source, checkLimits{retention: worldRetention})
	if checked == nil || Failed(issues) {
		return nil
	}
	program, err := d.env.plan(checked.NativeRep())
	if err != nil {
		d.t.Fatal(err)
	}
	return program
}

// answered is what was said at one instant.
type answered struct {
	at    int64
	value outcome
	until int64
}

func (d *differential) compare(source string, rule *Rule, oracle cel.Program, who int, e engine) string {
	in, whole := d.cut[who], d.whole[who]
	var said []answered
	for _, at := range d.instants(who) {
		in.Now = at
		want := evalOutcome(oracle, in)
		got, until := e.eval(rule, in)
		d.evaluations++
		switch {
		case want == isTrue:
			d.held++
		case want == isError:
			d.failed++
		}
		if got != want {
			settled := false
			if want == isError && whole != nil {
				whole.Now = at
				settled = evalOutcome(oracle, whole) == got
			}
			if !settled {
				return fmt.Sprintf("rule %s, user %s at %s: the engine says %v, cel-go %v", source, d.describe(who), stampText(at), got, want)
			}
			d.settled++
		}
		if until < at {
			return fmt.Sprintf("rule %s, user %s: horizon %d lies before now %d", source, d.describe(who), until, at)
		}
		said = append(said, answered{at: at, value: got, until: until})
	}
	return d.horizon(source, said, who, func(at int64) outcome {
		in.Now = at
		if whole != nil { // the engine may know what the program does not
			value, _ := e.eval(rule, in)
			return value
		}
		return evalOutcome(oracle, in)
	})
}

// horizon holds every answer against the later ones before its horizon, and asks once more in the last nanosecond before.
func (d *differential) horizon(source string, said []answered, who int, ask func(at int64) outcome) string {
	for i, a := range said {
		if a.until == Forever {
			a.until = a.at + int64(400*24*time.Hour)
		} else {
			d.horizons++
			if a.until > a.at+1 {
				d.probes++
				if got := ask(a.until - 1); (got == isTrue) != (a.value == isTrue) {
					return d.early(source, who, a, a.until-1)
				}
			}
			if got := ask(a.until); (got == isTrue) != (a.value == isTrue) {
				d.turned++
			}
		}
		for _, b := range said[i+1:] {
			if b.at >= a.until {
				break
			}
			d.probes++
			if (a.value == isTrue) != (b.value == isTrue) {
				return d.early(source, who, a, b.at)
			}
		}
	}
	return ""
}

func (d *differential) early(source string, who int, a answered, at int64) string {
	return fmt.Sprintf("rule %s, user %s: %v at %s until %s, but not at %s", source, d.describe(who), a.value, stampText(a.at), stampText(a.until), stampText(at))
}

// instants are when a user is asked about: on, just before and just after everything that happened to him enters or leaves a window, and at
// some other moments. Ascending.
func (d *differential) instants(who int) []int64 {
	p := d.persons[who]
	var out []int64
	for range 12 {
		at := p.base + int64(d.w.ago())
		if n := len(p.events); n > 0 && !d.w.one(3) {
			at = p.events[d.w.IntN(n)].at + pick(d.w, int64(0), int64(d.w.ago()))
		}
		out = append(out, at-1, at, at+1)
	}
	out = append(out, p.base, p.base+d.w.Int64N(int64(48*time.Hour)), p.base+d.w.Int64N(int64(48*time.Hour)), p.base+d.w.Int64N(int64(60*time.Second)), p.base+d.w.Int64N(int64(400*24*time.Hour)))
	slices.Sort(out)
	return slices.Compact(out)
}

func (d *differential) describe(who int) string {
	p := d.persons[who]
	text := fmt.Sprintf("%s zone %q broken %t keep %v channel %q context %v", objectJSON(p.attributes), p.zone, p.broken, p.keep, p.channel, p.context)
	for _, e := range p.events {
		text += fmt.Sprintf("; %s at %s %s", e.name, stampText(e.at), e.properties)
	}
	return text
}

func evalOutcome(program cel.Program, in *Input) outcome {
	value, _, err := program.Eval(in)
	if err != nil {
		return isError
	}
	return outcomeOf(value == types.True)
}

func stampText(at int64) string { return time.Unix(0, at).UTC().Format(time.RFC3339Nano) }
