package rules

import (
	"math"
	"regexp"
	"testing"
	"time"
)

// TestComparisonCatchesWrongEngines is the proof that the comparison with cel-go can fail: each engine below is wrong in one way that somebody might
// write, and must be caught.
func TestComparisonCatchesWrongEngines(t *testing.T) {
	const most = 600_000 // evaluations
	for name, wrong := range wrongEngines() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDifferential(t, 7)
			for d.evaluations < most {
				if failure := d.round(10, wrong); failure != "" {
					t.Logf("caught after %d evaluations: %.200s", d.evaluations, failure)
					return
				}
			}
			t.Errorf("not caught: %v", &d.comparisons)
		})
	}
}

func wrongEngines() map[string]engine {
	return map[string]engine{
		"a window includes its far edge": typedAs(func(in *Input, c countComparison) outcome {
			c.window++
			return c.value(in)
		}),
		"a window leaves out the present": typedAs(func(in *Input, c countComparison) outcome {
			before := *in
			before.Now--
			c.window--
			return c.value(&before)
		}),
		"a cut history counts as whole": typedAs(func(in *Input, c countComparison) outcome {
			from, to := in.Snapshot.Events(c.slot).Window(in.Now, c.window)
			return outcomeOf(ordered(int64(to-from), c.test, c.constant))
		}),
		"a double is compared with a whole number as whole numbers": typedAs(func(in *Input, c comparison[float64]) outcome {
			c.constant = math.Trunc(c.constant)
			return c.value(in)
		}),
		"minus zero is not zero": typedAs(func(in *Input, c comparison[float64]) outcome {
			below := func(f float64) float64 {
				if f == 0 && math.Signbit(f) {
					return -math.SmallestNonzeroFloat64
				}
				return f
			}
			got, ok := c.read(c.from, in)
			if !ok {
				return isError
			}
			return outcomeOf(ordered(below(got), c.test, below(c.constant)))
		}),
		"what is missing is empty": typedAs(func(in *Input, c comparison[string]) outcome {
			got, _ := c.read(c.from, in)
			return outcomeOf(ordered(got, c.test, c.constant))
		}),
		"what is unreadable is not set": typedAs(func(in *Input, h has) outcome {
			for _, slot := range h {
				if in.Snapshot.State(slot) == 1 {
					return isTrue
				}
			}
			return isFalse
		}),
		"NOT turns the operator round": {eval: sound.eval, source: func(rule string) string {
			return negatedOrder.ReplaceAllStringFunc(rule, func(text string) string {
				m := negatedOrder.FindStringSubmatch(text)
				return "(" + m[1] + map[string]string{" < ": " >= ", " <= ": " > ", " > ": " <= ", " >= ": " < "}[m[2]] + m[3] + ")"
			})
		}},
		"an error is false": {eval: func(r *Rule, in *Input) (outcome, int64) {
			holds, until := r.formula.truthWith(in, func(f *formula, value outcome) bool { return value.is(f.want) || value == isError && !f.want })
			return outcomeOf(holds), until
		}},
		"an error is not absorbed": {eval: func(r *Rule, in *Input) (outcome, int64) {
			value, until := sound.eval(r, in)
			r.formula.each(func(f *formula) {
				if got, _ := f.lit.value(in); got == isError {
					value = isError
				}
			})
			return value, until
		}},
		"a horizon is one nanosecond late": edgeAs(func(in *Input, e edge) int64 {
			if next := e.next(in); next != Forever {
				return next + 1
			}
			return Forever
		}),
		"a cut history never heals": edgeAs(func(in *Input, e edge) int64 {
			switch e := e.(type) {
			case windowEdge:
				return windowNext(in.Snapshot.Events(e.slot), in.Now, e.window)
			case lifeEdge:
				return windowNext(in.Snapshot.Events(e.slot), in.Now, e.retention)
			}
			return e.next(in)
		}),
		"what lies ahead does not enter": edgeAs(func(in *Input, e edge) int64 {
			w, ok := e.(windowEdge)
			if !ok {
				return e.next(in)
			}
			events := in.Snapshot.Events(w.slot)
			if from, to := events.Window(in.Now, w.window); from < to {
				return min(events.At(from)+w.window, healedAt(events, in.Now, w.window))
			}
			return healedAt(events, in.Now, w.window)
		}),
		"a comparison with now turns once": edgeAs(func(in *Input, e edge) int64 {
			next := e.next(in)
			if _, ok := e.(*crossingEdge); ok && next == in.Now+1 {
				return Forever
			}
			return next
		}),
		"clocks are never put forward or back": edgeAs(func(in *Input, e edge) int64 {
			c, ok := e.(calendarEdge)
			if !ok {
				return e.next(in)
			}
			zone, ok := c.zone(in)
			if !ok {
				return Forever
			}
			_, offset := time.Unix(0, in.Now).In(zone).Zone()
			shifted, unit := in.Now+int64(offset)*int64(time.Second), int64(c.unit)
			return in.Now + unit - ((shifted%unit)+unit)%unit
		}),
		"an AND that holds lasts as long as its last part": {eval: func(r *Rule, in *Input) (outcome, int64) {
			value, until := sound.eval(r, in)
			if value == isTrue && r.formula.op == opAnd {
				for i := range r.formula.kids {
					_, kid, _ := r.formula.kids[i].truth(in)
					until = max(until, kid)
				}
			}
			return value, until
		}},
	}
}

var negatedOrder = regexp.MustCompile(`!\(([^()]+)( < | <= | > | >= )([^()]+)\)`)

// typedAs replaces the evaluators of one type.
func typedAs[T typedLiteral](value func(in *Input, was T) outcome) engine {
	return engine{eval: sound.eval, change: func(f *formula) {
		f.each(func(f *formula) {
			if was, ok := f.lit.typed.(T); ok {
				f.lit.typed = typedFunc(func(in *Input) outcome { return value(in, was) })
			}
		})
	}}
}

type typedFunc func(in *Input) outcome

func (f typedFunc) value(in *Input) outcome { return f(in) }

// edgeAs replaces every edge.
func edgeAs(next func(in *Input, was edge) int64) engine {
	return engine{eval: sound.eval, change: func(f *formula) {
		f.each(func(f *formula) {
			for i, was := range f.lit.edges {
				if _, done := was.(edgeFunc); !done {
					f.lit.edges[i] = edgeFunc(func(in *Input) int64 { return next(in, was) })
				}
			}
		})
	}}
}

type edgeFunc func(in *Input) int64

func (f edgeFunc) next(in *Input) int64 { return f(in) }

// truthWith is truth with another idea of when a literal holds.
func (f *formula) truthWith(in *Input, holds func(f *formula, value outcome) bool) (bool, int64) {
	if f.op == opLiteral {
		value, _ := f.lit.value(in)
		return holds(f, value), f.lit.until(in)
	}
	all, one, until := true, false, Forever
	for i := range f.kids {
		kid, next := f.kids[i].truthWith(in, holds)
		all, one, until = all && kid, one || kid, min(until, next)
	}
	return f.op == opAnd && all || f.op != opAnd && one, until
}
