package rules

import (
	"math"
	"slices"
	"strings"

	"eligibility/internal/profile"
)

// values is the literals of a block whose truth no class settles: they are asked of the input itself.
type values struct {
	list     []value
	text     string     // the constants, one after the other
	spans    []span     // of text: those of lists of constants
	literals []*literal // of valueOther
}

// value is one of them, with its constant beside it.
type value struct {
	kind   valueKind
	test   test
	want   bool
	from   sourceFrom
	slot   int32  // of the attribute
	aux    uint32 // where a text begins; the index of a literal; of a list of texts, the first of spans
	number uint64 // the constant's bits, a text's length, or how many texts
}

type valueKind uint8

const (
	valueText        valueKind = iota // text test constant
	valueOneOf                        // text in constants
	valueMember                       // constant in user.list
	valueInt                          // whole number test constant
	valueDouble                       // double test constant
	valueWholeDouble                  // a whole number compared as a double
	valueOther
)

// valueCoder makes values.
type valueCoder struct {
	values
	constants strings.Builder
	at        map[string]span // of constants
}

func (c *valueCoder) made() values {
	return values{list: slices.Clip(c.list), text: c.constants.String(), spans: slices.Clip(c.spans), literals: slices.Clip(c.literals)}
}

// add returns the place of the literal in the list.
func (c *valueCoder) add(f *formula) uint32 {
	c.list = append(c.list, c.value(f))
	return uint32(len(c.list) - 1)
}

func (c *valueCoder) value(f *formula) value {
	v := value{want: f.want}
	if len(f.lit.edges) == 0 {
		switch l := f.lit.typed.(type) {
		case comparison[string]:
			return c.withText(v, valueText, l.from, l.test, l.constant)
		case oneOf:
			v.aux = uint32(len(c.spans))
			for _, constant := range l.constants {
				c.spans = append(c.spans, c.constant(constant))
			}
			return v.of(valueOneOf, l.from, equals, uint64(len(l.constants)))
		case contains:
			return c.withText(v, valueMember, source{slot: l.slot}, equals, l.constant)
		case comparison[int64]:
			return v.of(valueInt, l.from, l.test, uint64(l.constant))
		case comparison[float64]:
			if l.from.kind == profile.Double {
				return v.of(valueDouble, l.from, l.test, math.Float64bits(l.constant))
			}
			return v.of(valueWholeDouble, l.from, l.test, math.Float64bits(l.constant))
		}
	}
	v.kind, v.aux = valueOther, uint32(len(c.literals))
	c.literals = append(c.literals, f.lit)
	return v
}

func (v value) of(kind valueKind, from source, op test, number uint64) value {
	v.kind, v.from, v.slot, v.test, v.number = kind, from.from, int32(from.slot), op, number
	return v
}

func (c *valueCoder) withText(v value, kind valueKind, from source, op test, text string) value {
	at := c.constant(text)
	v.aux = uint32(at.from)
	return v.of(kind, from, op, uint64(at.to-at.from))
}

// constant is where the text stands; each stands once.
func (c *valueCoder) constant(text string) span {
	at, ok := c.at[text]
	if !ok {
		at = span{from: c.constants.Len(), to: c.constants.Len() + len(text)}
		c.constants.WriteString(text)
		c.at[text] = at
	}
	return at
}

// ask is the CEL value of a literal, and until when it stays so.
func (v *values) ask(n *value, in *Input, s *Scratch) (outcome, int64) {
	switch n.kind {
	case valueText:
		got, ok := n.source().readText(in)
		if !ok {
			return isError, Forever
		}
		return outcomeOf(ordered(got, n.test, v.text[n.aux:uint64(n.aux)+n.number])), Forever
	case valueOneOf:
		got, ok := n.source().readText(in)
		if !ok {
			return isError, Forever
		}
		return outcomeOf(v.among(n, got)), Forever
	case valueMember:
		return contains{slot: int(n.slot), constant: v.text[n.aux : uint64(n.aux)+n.number]}.value(in), Forever
	case valueOther:
		return s.ask(v.literals[n.aux], in)
	}
	bits, ok := n.source().bits(in)
	if !ok {
		return isError, Forever
	}
	switch n.kind {
	case valueInt:
		return outcomeOf(ordered(int64(bits), n.test, int64(n.number))), Forever
	case valueWholeDouble:
		return outcomeOf(ordered(float64(int64(bits)), n.test, math.Float64frombits(n.number))), Forever
	default:
		return outcomeOf(ordered(math.Float64frombits(bits), n.test, math.Float64frombits(n.number))), Forever
	}
}

func (v *value) source() source { return source{from: v.from, slot: int(v.slot)} }

// fewTexts is up to how many texts going through them is faster than to halve.
const fewTexts = 8

func (v *values) among(n *value, got string) bool {
	spans := v.spans[n.aux : n.aux+uint32(n.number)]
	if len(spans) > fewTexts {
		_, found := slices.BinarySearchFunc(spans, got, func(s span, got string) int { return strings.Compare(v.text[s.from:s.to], got) })
		return found
	}
	for _, s := range spans {
		if v.text[s.from:s.to] == got {
			return true
		}
	}
	return false
}
