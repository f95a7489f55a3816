package rules

import (
	"cmp"
	"fmt"
	"slices"
)

// Bounds of one search. They keep an explanation of the worst rule within some tens of milliseconds.
const (
	maxWays       = 24   // kept of any sub-expression
	maxTried      = 12   // of the whole rule
	maxOtherWays  = 4    // told beside the nearest
	maxNeedTrials = 6000 // evaluations of single facts
)

// advisor looks for the least that would have to become otherwise for a rule's verdict to turn.
//
// The rule, or its negation when it holds, is a monotone formula of literals. A way is a set of literals that make it true; of those that do
// not hold yet each is decided by one fact: an attribute, a field of the request, the events of a type, or the passing of time. Values for
// that fact are made from the constants that the literals mention and tried with the literals themselves. Nothing is told that
// was not tried with the whole rule, except for literals that no single fact decides, which are told as they are.
type advisor struct {
	b      *ruleBuilder
	in     *Input
	trial  trial
	goal   formula
	aims   []aim
	index  map[aimKey]int
	trials int // left
}

// advise finds what turns the verdict, the nearest way first. A rule that holds is turned when it is false.
func advise(b *ruleBuilder, in *Input, holds bool) ([][]Need, error) {
	goal, err := b.decompose(b.checked.Expr(), !holds)
	if err != nil {
		return nil, fmt.Errorf("plan the search for what would change: %w", err)
	}
	a := &advisor{b: b, in: in, trial: trial{in: in, schema: b.schema}, goal: goal, index: make(map[aimKey]int), trials: maxNeedTrials}
	var all []answer
	for i, w := range a.ways(&a.goal) {
		if i == maxTried {
			break
		}
		if found, ok := a.try(w); ok {
			all = append(all, found)
		}
	}
	slices.SortStableFunc(all, func(x, y answer) int { return cmp.Compare(x.score(), y.score()) })
	return distinct(all), nil
}

// answer is a way that was found to lead there.
type answer struct {
	needs   []Need
	unknown int // literals that no single fact decides
}

// score ranks answers: one that can be told in full comes first, then the one that asks for less, then the one that asks for no waiting.
func (a *answer) score() int {
	score := 100*a.unknown + 2*len(a.needs)
	if len(a.needs) > 0 && a.needs[0].Kind == NeedTime {
		score++
	}
	return score
}

// distinct drops repetitions and, when something can be told in full, what cannot.
func distinct(all []answer) [][]Need {
	var out [][]Need
	seen := make(map[string]bool)
	for _, found := range all {
		key := ""
		for i := range found.needs {
			key += found.needs[i].Text + "\x00"
		}
		if seen[key] || len(out) > maxOtherWays || len(out) > 0 && found.unknown > 0 && all[0].unknown == 0 {
			continue
		}
		seen[key] = true
		out = append(out, found.needs)
	}
	return out
}

// try looks for facts that meet the way at once, else for the first instant at which they can, else tells what it cannot.
func (a *advisor) try(w way) (answer, bool) {
	if needs, _, ok := a.solve(w, a.in.Now, false); ok {
		return answer{needs: needs}, true
	}
	if needs, ok := a.later(w); ok {
		return answer{needs: needs}, true
	}
	needs, unknown, ok := a.solve(w, a.in.Now, true)
	return answer{needs: needs, unknown: unknown}, ok && unknown > 0
}

// later waits, edge by edge, until facts can meet the way.
func (a *advisor) later(w way) ([]Need, bool) {
	at := *a.in
	for range maxTurnSteps {
		next := Forever
		for _, i := range w {
			next = min(next, a.aims[i].lit.until(&at))
		}
		if next == Forever || next <= at.Now {
			return nil, false
		}
		at.Now = next
		if needs, _, ok := a.solve(w, next, false); ok {
			return append([]Need{a.waiting(w, next)}, needs...), true
		}
	}
	return nil, false
}

// solve finds facts that meet all aims of the way at an instant. Literals that no single fact decides, and facts for which no value was
// found, become conditions when that is allowed.
func (a *advisor) solve(w way, at int64, vague bool) (needs []Need, unknown int, ok bool) {
	var f facts
	for _, group := range a.groups(w) {
		if a.meets(group.aims, a.trial.in, at) {
			continue
		}
		var found []Need
		switch group.about.kind {
		case subjectAttribute:
			found, ok = a.attribute(group.about, group.aims, &f, at)
		case subjectField, subjectChannel:
			found, ok = a.request(group.about, group.aims, &f, at)
		case subjectStream:
			found, ok = a.happen(group.about, group.aims, &f, at)
		default:
			ok = false
		}
		if !ok && !vague {
			return nil, 0, false
		}
		if !ok {
			found = a.conditions(group.aims)
			unknown += len(found)
		}
		needs = append(needs, found...)
	}
	if unknown > 0 {
		return needs, unknown, true
	}
	return needs, 0, a.goal.holds(a.trial.all(&f, at))
}

// group is the aims of a way that are about one subject.
type group struct {
	about subject
	aims  []int
}

// groups keeps the order of the rule.
func (a *advisor) groups(w way) []group {
	var out []group
	for _, i := range w {
		about := a.aims[i].about
		at := slices.IndexFunc(out, func(g group) bool { return g.about == about && about.kind != subjectMany && about.kind != subjectNone })
		if at < 0 {
			out = append(out, group{about: about, aims: []int{i}})
			continue
		}
		out[at].aims = append(out[at].aims, i)
	}
	return out
}

// meets asks the literals themselves.
func (a *advisor) meets(aims []int, in *Input, at int64) bool {
	if in.Now != at {
		later := *in
		later.Now = at
		in = &later
	}
	for _, i := range aims {
		if value, _ := a.aims[i].lit.value(in); !value.is(a.aims[i].want) {
			return false
		}
	}
	return true
}

// tried is meets for facts that are not so, as long as the search may go on.
func (a *advisor) tried(aims []int, about subject, f *facts, at int64) bool {
	if a.trials == 0 {
		return false
	}
	a.trials--
	return a.meets(aims, a.trial.only(about, f, at), at)
}

func (a *advisor) constants(aims []int) *constants {
	var c constants
	for _, i := range aims {
		c.collect(a.b, a.aims[i].expr)
	}
	return &c
}
