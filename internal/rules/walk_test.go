package rules

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"cel.dev/cel-go/cel"
)

// walkPairs is how many (user, rule, instant) TestWalkAgreesWithCEL compares: a quarter of a million, or ELIGIBILITY_TEST_PAIRS.
func walkPairs(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("ELIGIBILITY_TEST_PAIRS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("ELIGIBILITY_TEST_PAIRS: %v", err)
		}
		return n
	}
	if testing.Short() {
		return 50_000
	}
	return 250_000
}

// walks compares what whole rulesets answer through their index with cel-go, and knows of the index no more than the engine does: Encode, Walk and Next.
type walks struct {
	*wholeRulesets
	walk func(t *PlacementTable, in *Input, s *Scratch, says []Standing)

	says     []Standing // by candidate, at the instant
	promises []promise  // by candidate, to the user
	tally    walkTally
}

// promise is what was said of a candidate once, and until when.
type promise struct {
	holds     bool
	at, until int64
}

// walkTally counts what was compared.
type walkTally struct {
	rulesets, rules, pairs, held, failed int
	settled                              int // the program failed on a cut history, and the engine knew
	probes                               int // answers compared with one that had promised to last until then
}

func (t *walkTally) add(o *walkTally) {
	t.rulesets, t.rules, t.pairs, t.held, t.failed = t.rulesets+o.rulesets, t.rules+o.rules, t.pairs+o.pairs, t.held+o.held, t.failed+o.failed
	t.settled, t.probes = t.settled+o.settled, t.probes+o.probes
}

func newWalks(t testing.TB, seed uint64) *walks {
	return &walks{wholeRulesets: newWholeRulesets(t, seed), walk: (*PlacementTable).everyMatch}
}

// everyMatch says of every candidate what the walk says, for all matches, as the engine asks for them. What is passed over does not hold for ever.
func (t *PlacementTable) everyMatch(in *Input, s *Scratch, says []Standing) {
	for i := range says {
		says[i] = Standing{Until: Forever}
	}
	ranked := t.ranked()
	i := 0
	for walk := t.Walk(in, s); ; {
		candidate, standing := walk.Next()
		if candidate == nil {
			return
		}
		for ranked[i] != candidate { // it goes by rank
			i++
		}
		says[i] = standing
	}
}

// ranked is the candidates, first to be shown first.
func (t *PlacementTable) ranked() []*Candidate {
	var all []*Candidate
	for _, c := range t.All() {
		all = append(all, c)
	}
	return all
}

// round asks one ruleset about some users; it returns what differs.
func (d *walks) round(rules, users int) string {
	d.extra = d.w.nestedLists()
	rs, oracles := d.ruleset(rules)
	d.tally.rulesets++
	d.tally.rules += rules
	d.says, d.promises = make([]Standing, rules), make([]promise, rules)
	var s Scratch
	for range users {
		who := d.w.IntN(len(d.persons))
		clear(d.promises)
		for _, at := range d.instants(who) {
			if failure := d.at(rs, oracles, who, at, &s); failure != "" {
				return failure
			}
		}
	}
	return ""
}

// nestedLists is a rule over lists of lists, beside others.
func (w world) nestedLists() string {
	text := pick(w, "[['a', 'Łódź'], user.tags].exists(l, 'a' in l)", "[user.sizes, [1, 2]].all(l, l.exists(x, x > 1))", "user.tags.map(x, [x, 'y']) == [['a', 'y'], ['b', 'y']]",
		"[[user.age]] == [[20]]", "[user.weights, [0.0]].exists(l, l.all(x, x == -0.0))", "[[user.spent / user.spent]] == [[user.spent / user.spent]]")
	return "(" + text + ")" + pick(w, " && ", " || ", " == ", " != ") + "(" + w.indexed() + ")"
}

// at compares all rules at one instant, and the answers with what was promised before.
func (d *walks) at(rs *Ruleset, oracles []cel.Program, who int, at int64, s *Scratch) string {
	in, whole := d.cut[who], d.whole[who]
	d.ask(rs, in, at, s)
	for i, oracle := range oracles {
		want := evalOutcome(oracle, in)
		d.tally.pairs++
		switch want {
		case isTrue:
			d.tally.held++
		case isError:
			d.tally.failed++
		}
		if d.says[i].True == (want == isTrue) {
			continue
		}
		if want == isError && whole != nil {
			whole.Now = at
			if evalOutcome(oracle, whole) == isTrue {
				d.tally.settled++
				continue
			}
		}
		return d.differs(rs, i, who, at, fmt.Sprintf("the walk says %t, cel-go %v", d.says[i].True, want))
	}
	if failure := d.kept(rs, who, at); failure != "" {
		return failure
	}
	last := at
	for i, says := range d.says {
		if says.Until < at {
			return d.differs(rs, i, who, at, "its horizon lies before it, at "+stampText(says.Until))
		}
		if p := &d.promises[i]; p.until <= at {
			*p = promise{says.True, at, says.Until}
			if says.Until != Forever && d.w.one(8) {
				last = max(last, says.Until-1)
			}
		}
	}
	if last == at {
		return ""
	}
	d.ask(rs, in, last, s) // the last nanosecond of a promise
	return d.kept(rs, who, last)
}

func (d *walks) ask(rs *Ruleset, in *Input, at int64, s *Scratch) {
	in.Now = at
	d.encode(rs, in, s)
	d.walk(&rs.Placements[0], in, s, d.says)
}

// kept holds the answers against the promises that cover the instant.
func (d *walks) kept(rs *Ruleset, who int, at int64) string {
	for i, p := range d.promises {
		if at >= p.until {
			continue
		}
		d.tally.probes++
		if d.says[i].True != p.holds {
			return d.differs(rs, i, who, at, fmt.Sprintf("%t, but %t at %s and until %s", d.says[i].True, p.holds, stampText(p.at), stampText(p.until)))
		}
	}
	return ""
}

func (d *walks) differs(rs *Ruleset, i, who int, at int64, how string) string {
	return fmt.Sprintf("rule %s, user %s at %s: %s", rs.Placements[0].ranked()[i].Promotion.Rule.source, d.describe(who), stampText(at), how)
}

// TestWalkAgreesWithCEL is laws L6 and L5 of what callers get: for whole rulesets, all that the index says of a user is what cel-go's plain program of each rule
// says, and no answer changes before its horizon. Rulesets are of one block and of several.
func TestWalkAgreesWithCEL(t *testing.T) {
	total := walkPairs(t)
	began := time.Now()
	workers := runtime.GOMAXPROCS(0)
	tallies := make([]*walks, workers)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			d := newWalks(t, uint64(began.UnixNano())+uint64(i))
			tallies[i] = d
			for n := 0; d.tally.pairs < total/workers+1 && d.failure == ""; n++ {
				sizes := []int{60, 300, 60, 700, 60}
				d.failure = d.round(sizes[n%len(sizes)], min(20, 5+total/1_000_000))
			}
		})
	}
	group.Wait()
	var all walkTally
	for i, d := range tallies {
		all.add(&d.tally)
		if d.failure != "" {
			t.Errorf("seed %d: %s", uint64(began.UnixNano())+uint64(i), d.failure)
		}
	}
	t.Logf("%d pairs of %d rules in %d rulesets: %d true, %d errors, %d known in spite of a cut history; %d answers held against a promise; in %v",
		all.pairs, all.rules, all.rulesets, all.held, all.failed, all.settled, all.probes, time.Since(began).Round(time.Millisecond))
	if !t.Failed() && (all.pairs < total || all.held < all.pairs/20 || all.failed < all.pairs/20 || all.probes == 0 || total >= 1_000_000 && all.settled == 0) {
		t.Error("the comparison compares too little")
	}
}

// TestWalkComparisonCatchesWrongWalks: a comparison that cannot fail proves nothing.
func TestWalkComparisonCatchesWrongWalks(t *testing.T) {
	changed := func(change func(in *Input, says []Standing)) func(*PlacementTable, *Input, *Scratch, []Standing) {
		return func(t *PlacementTable, in *Input, s *Scratch, says []Standing) {
			t.everyMatch(in, s, says)
			change(in, says)
		}
	}
	wrong := map[string]func(in *Input, says []Standing){
		"the last match is left out": func(_ *Input, says []Standing) {
			for i := len(says) - 1; i >= 0; i-- {
				if says[i].True {
					says[i].True = false
					return
				}
			}
		},
		"what may become true counts": func(in *Input, says []Standing) {
			for i := range says {
				says[i].True = says[i].True || says[i].Until != Forever
			}
		},
		"what does not hold yet never will": func(_ *Input, says []Standing) {
			for i := range says {
				if !says[i].True {
					says[i].Until = Forever
				}
			}
		},
		"an end is a nanosecond late": func(in *Input, says []Standing) {
			for i := range says {
				if says[i].Until != Forever && says[i].Until > in.Now {
					says[i].Until++
				}
			}
		},
	}
	for name, change := range wrong {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newWalks(t, 5)
			d.walk = changed(change)
			for d.tally.pairs < 1_000_000 {
				if failure := d.round(60, 20); failure != "" {
					t.Logf("caught after %d pairs: %.200s", d.tally.pairs, failure)
					return
				}
			}
			t.Errorf("not caught in %d pairs", d.tally.pairs)
		})
	}
}
