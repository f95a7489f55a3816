package workload

import (
	"fmt"
	"slices"
	"strings"
)

// nestedPool is how many predicates Nested has for all rules: few enough that each is shared about as often as in the paper.
const nestedPool = 2000

func (d *draw) rule(i int) string {
	var clauses []string
	switch d.c.Style {
	case Nested:
		clauses = append(clauses, d.tree(1+d.IntN(3)))
	default:
		for range 3 + d.IntN(4) {
			clauses = append(clauses, d.clause())
		}
	}
	if d.c.Selective {
		clauses = append(clauses, fmt.Sprintf("user.cohort == 'cohort-%d'", d.IntN(cohorts)))
	}
	if d.c.Opaque > 0 && d.Float64() < d.c.Opaque {
		clauses = append(clauses, d.opaque(i))
	}
	return strings.Join(clauses, " && ")
}

// clause is an atom, an OR of two or three, or the opposite of either.
func (d *draw) clause() string {
	text := d.atom()
	if d.IntN(4) == 0 {
		parts := []string{text, d.atom()}
		if d.IntN(2) == 0 {
			parts = append(parts, d.atom())
		}
		text = "(" + strings.Join(parts, " || ") + ")"
	}
	if d.IntN(10) == 0 {
		text = "!(" + text + ")"
	}
	return text
}

func (d *draw) atom() string {
	switch n := d.IntN(100); {
	case n < 30:
		f := d.zipf(len(texts))
		return fmt.Sprintf("user.%s == '%s'", texts[f].name, texts[f].value(d.zipf(texts[f].values)))
	case n < 40:
		f := d.zipf(len(texts))
		var values []string
		for range 2 + d.IntN(4) {
			values = append(values, "'"+texts[f].value(d.zipf(texts[f].values))+"'")
		}
		slices.Sort(values)
		return fmt.Sprintf("user.%s in [%s]", texts[f].name, strings.Join(slices.Compact(values), ", "))
	case n < 65:
		return d.number()
	case n < 73:
		return fmt.Sprintf("%suser.flag%d", pick(d, "", "!"), d.IntN(flags))
	case n < 85:
		return fmt.Sprintf("'tag-%d' in user.tags%d", d.zipf(tags), d.IntN(lists))
	default:
		return d.count()
	}
}

func (d *draw) number() string {
	op := pick(d, ">=", ">", "<", "<=")
	if d.IntN(2) == 0 {
		return fmt.Sprintf("user.whole%d %s %d", d.zipf(wholes), op, 5*d.IntN(20))
	}
	return fmt.Sprintf("user.real%d %s %d.0", d.zipf(reals), op, 25*d.IntN(40))
}

func (d *draw) count() string {
	window := pick(d, "duration('24h')", "days(3)", "days(7)", "days(14)", "days(30)")
	event := eventTypes[d.zipf(len(eventTypes))]
	if d.IntN(4) == 0 {
		return fmt.Sprintf("events.count('%s', %s) == 0", event, window)
	}
	return fmt.Sprintf("events.count('%s', %s) >= %d", event, window, 1+d.zipf(4))
}

// opaque is a clause that has to be interpreted; some are shared.
func (d *draw) opaque(i int) string {
	f := d.zipf(len(texts))
	switch d.IntN(3) {
	case 0:
		return fmt.Sprintf("user.%s.startsWith('%.4s')", texts[f].name, texts[f].value(d.zipf(texts[f].values)))
	case 1:
		return fmt.Sprintf("user.whole%d * 2 + user.whole%d > %d", d.IntN(wholes), d.IntN(wholes), 5*d.IntN(30))
	default:
		return fmt.Sprintf("user.tags%d.size() > %d", i%lists, d.IntN(3))
	}
}

// mostKids bounds the children by depth: twelve of the lowest, as in the paper, and fewer above, so that a rule stays within its limits.
var mostKids = [...]int{1: 12, 2: 4, 3: 2}

// tree is a rule of ABE-Gen. XOR and XNOR are written as != and ==.
func (d *draw) tree(depth int) string {
	if depth == 0 {
		return d.pool[d.zipf(len(d.pool))]
	}
	var kids []string
	for range 2 + d.zipf(11) {
		kids = append(kids, "("+d.tree(depth-1)+")")
		if len(kids) == mostKids[depth] { // a rule may have only so many parts
			break
		}
	}
	switch n := d.IntN(100); {
	case n < 40:
		return strings.Join(kids, " && ")
	case n < 80:
		return strings.Join(kids, " || ")
	case n < 90:
		return "!" + kids[0]
	case n < 95:
		return kids[0] + " != " + kids[1]
	default:
		return kids[0] + " == " + kids[1]
	}
}

func pick[T any](d *draw, from ...T) T { return from[d.IntN(len(from))] }
