package rules

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

const (
	maxConstants  = 24 // of one kind, of the literals about one subject
	maxCandidates = 96 // values tried for one fact
)

// constants are what the literals about one subject compare with: the values near which their truth turns.
type constants struct {
	ints      []int64
	doubles   []float64
	texts     []string
	instants  []int64
	durations []int64
}

func (c *constants) collect(b *ruleBuilder, e ast.Expr) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(node ast.Expr) {
		switch node.Kind() {
		case ast.LiteralKind:
			c.add(node.AsLiteral())
		case ast.CallKind:
			switch node.AsCall().FunctionName() {
			case "timestamp", "duration", fnDays, fnHours:
				if value, ok := b.constant(node); ok {
					c.add(value)
				}
			}
		}
	}))
}

// constant evaluates what reads nothing.
func (b *ruleBuilder) constant(e ast.Expr) (ref.Val, bool) {
	if e.Kind() == ast.LiteralKind {
		return e.AsLiteral(), true
	}
	if subjectOf(b.schema, b.context, e).reads {
		return nil, false
	}
	program, err := b.env.subProgram(b.checked, e)
	if err != nil {
		return nil, false
	}
	value, _, err := program.Eval(&Input{Snapshot: new(profile.Snapshot)})
	return value, err == nil
}

func (c *constants) add(value ref.Val) {
	switch v := value.(type) {
	case types.Int:
		c.ints = insert(c.ints, int64(v))
	case types.Double:
		c.doubles = insert(c.doubles, float64(v))
	case types.String:
		c.texts = insert(c.texts, string(v))
	case types.Timestamp:
		if !v.Before(profile.MinTime) && v.Before(profile.MaxTime) {
			c.instants = insert(c.instants, v.UnixNano())
		}
	case types.Duration:
		if v.Duration > 0 && v.Duration < maxShift {
			c.durations = insert(c.durations, int64(v.Duration))
		}
	}
}

func insert[T comparable](list []T, v T) []T {
	if len(list) >= maxConstants || slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

// scalars are values of the kind worth trying, as JSON, the plainest and nearest to the present one first: the constants, what lies beside
// them, and what is furthest from them all.
func (c *constants) scalars(kind profile.Kind, now int64, present ref.Val) []string {
	var out []string
	add := func(bits uint64) { out = insertUpTo(out, wordJSON(kind, bits), maxCandidates) }
	switch kind {
	case profile.Bool:
		add(1)
		add(0)
	case profile.Int:
		for _, n := range c.wholes(present) {
			add(uint64(n))
		}
	case profile.Double:
		for _, f := range c.reals(present) {
			add(math.Float64bits(f))
		}
	case profile.Timestamp:
		for _, at := range c.moments(now) {
			add(uint64(at))
		}
	case profile.String:
		for _, s := range c.strings() {
			out = insertUpTo(out, stringJSON(s), maxCandidates)
		}
	}
	return out
}

func insertUpTo(list []string, v string, most int) []string {
	if len(list) >= most || slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}

func (c *constants) wholes(present ref.Val) []int64 {
	var out []int64
	for _, n := range c.ints {
		out = append(out, n, n+1, n-1)
	}
	for _, f := range c.doubles {
		if math.Abs(f) < 1<<62 {
			out = append(out, int64(math.Floor(f)), int64(math.Ceil(f)), int64(math.Floor(f))+1, int64(math.Ceil(f))-1)
		}
	}
	out = append(out, 0, 1)
	if v, ok := present.(types.Int); ok {
		slices.SortStableFunc(out, func(a, b int64) int {
			return cmp.Compare(math.Abs(float64(a)-float64(v)), math.Abs(float64(b)-float64(v)))
		})
	}
	return out
}

// reals tries round numbers before the next possible ones.
func (c *constants) reals(present ref.Val) []float64 {
	var near, next []float64
	all := slices.Clone(c.doubles)
	for _, n := range c.ints {
		all = append(all, float64(n))
	}
	for _, f := range all {
		near = append(near, f, f+0.01, f-0.01)
		next = append(next, f+1, f-1, math.Nextafter(f, math.Inf(1)), math.Nextafter(f, math.Inf(-1)))
	}
	near = append(near, 0, 1)
	if v, ok := present.(types.Double); ok {
		closest := func(a, b float64) int { return cmp.Compare(math.Abs(a-float64(v)), math.Abs(b-float64(v))) }
		slices.SortStableFunc(near, closest)
		slices.SortStableFunc(next, closest)
	}
	return slices.DeleteFunc(append(near, next...), func(f float64) bool { return math.IsInf(f, 0) || math.IsNaN(f) })
}

func (c *constants) moments(now int64) []int64 {
	centres := append([]int64{now}, c.instants...)
	for _, d := range c.durations {
		centres = append(centres, now-d, now+d)
	}
	out := slices.Clone(centres)
	for _, step := range []time.Duration{time.Second, 1} {
		for _, at := range centres {
			out = append(out, at+int64(step), at-int64(step))
		}
	}
	return slices.DeleteFunc(out, func(at int64) bool {
		return at < profile.MinTime.UnixNano() || at >= profile.MaxTime.UnixNano()
	})
}

func (c *constants) strings() []string {
	out := append(slices.Clone(c.texts), "other")
	for _, s := range c.texts {
		out = append(out, s+".1", s+"x")
	}
	for _, n := range c.ints {
		for _, length := range []int64{n, n + 1, n - 1} {
			if length > 0 && length <= 64 {
				out = append(out, strings.Repeat("x", int(length)))
			}
		}
	}
	return append(out, "0", "x", "")
}

// values are those of an attribute worth trying, as JSON: of a list or map, the present one with an element more or less.
func (c *constants) values(typ profile.Type, now int64, present ref.Val, stored string) []string {
	elements := c.scalars(typ.Kind, now, present)
	switch typ.Shape {
	case profile.List:
		return lists(elements, stored)
	case profile.Map:
		return c.maps(elements, stored)
	default:
		return elements
	}
}

// lists are the stored list with one element more, without one of its elements, and short ones of their own.
func lists(elements []string, stored string) []string {
	var present []json.RawMessage
	if json.Unmarshal([]byte(stored), &present) != nil {
		present = nil
	}
	var out []string
	add := func(items []string) { out = insertUpTo(out, "["+strings.Join(items, ",")+"]", maxCandidates) }
	var all []string
	for _, item := range present {
		all = append(all, string(item))
	}
	for i, e := range elements {
		if i < maxCandidates/3 {
			add(append(slices.Clone(all), e))
		}
	}
	for _, gone := range all {
		if len(out) < maxCandidates*2/3 {
			add(slices.DeleteFunc(slices.Clone(all), func(item string) bool { return item == gone }))
		}
	}
	add(nil)
	for _, e := range elements {
		add([]string{e})
	}
	return out
}

func (c *constants) maps(elements []string, stored string) []string {
	var out []string
	inner := strings.TrimSuffix(strings.TrimPrefix(stored, "{"), "}")
	for _, key := range c.texts {
		for _, e := range elements {
			entry := stringJSON(key) + ":" + e
			if strings.HasPrefix(stored, "{") && inner != "" {
				entry = inner + "," + entry // of a repeated key the last counts
			}
			out = insertUpTo(out, "{"+entry+"}", maxCandidates)
		}
	}
	return insertUpTo(out, "{}", maxCandidates+1)
}
