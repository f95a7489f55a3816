package rules

import (
	"math"
	"slices"
	"strings"

	"eligibility/internal/profile"
)

// truth is the truth of the formula that the code was made of, at the node. s remembers what was asked before for the same question.
func (c *code) truth(at int32, in *Input, s *Scratch) (holds bool, until int64, failed bool) {
	n := &c.nodes[at]
	if n.kind > nodeOr {
		value, until := c.literal(n, in, s)
		return value.is(n.want), until, value == isError
	}
	decisive := n.kind == nodeOr
	least, latest := Forever, int64(math.MinInt64)
	settled, plain := false, false // as in formula.truth
	for kid, end := at+1, at+n.size; kid < end; kid += c.nodes[kid].size {
		var holds, failed bool
		var until int64
		if k := &c.nodes[kid]; k.kind > nodeOr {
			var value outcome
			value, until = c.literal(k, in, s)
			holds, failed = value.is(k.want), value == isError
		} else {
			holds, until, failed = c.truth(kid, in, s)
		}
		plain = plain || !holds && !failed
		if holds == decisive {
			settled = true
			if latest = max(latest, until); latest == Forever {
				break
			}
			continue
		}
		least = min(least, until)
	}
	if settled {
		return decisive, latest, !decisive && !plain
	}
	return !decisive, least, decisive && !plain
}

// literal is the CEL value of a literal, and until when it stays so.
func (c *code) literal(n *node, in *Input, s *Scratch) (outcome, int64) {
	switch n.kind {
	case nodeText:
		got, ok := n.text(in)
		if !ok {
			return isError, Forever
		}
		return outcomeOf(ordered(got, n.test, c.constant(n))), Forever
	case nodeOneOf:
		got, ok := n.text(in)
		if !ok {
			return isError, Forever
		}
		return outcomeOf(c.among(n, got)), Forever
	case nodeMember:
		return c.member(n, in), Forever
	case nodeHas:
		return outcomeOf(in.Snapshot.State(int(n.slot)) != profile.Absent), Forever
	case nodeCount:
		return n.count(in, s)
	case nodeOther:
		return s.ask(c.literals[n.aux], in)
	}
	bits, ok := n.bits(in)
	if !ok {
		return isError, Forever
	}
	switch n.kind {
	case nodeBool:
		return outcomeOf(bits != 0), Forever
	case nodeInt:
		return outcomeOf(ordered(int64(bits), n.test, int64(n.number))), Forever
	case nodeWholeDouble:
		return outcomeOf(ordered(float64(int64(bits)), n.test, math.Float64frombits(n.number))), Forever
	default:
		return outcomeOf(ordered(math.Float64frombits(bits), n.test, math.Float64frombits(n.number))), Forever
	}
}

func (n *node) text(in *Input) (string, bool) {
	if n.from == fromUser {
		if in.Snapshot.State(int(n.slot)) != profile.Present {
			return "", false
		}
		return in.Snapshot.String(int(n.slot)), true
	}
	return source{from: n.from, slot: int(n.slot)}.readText(in)
}

func (n *node) bits(in *Input) (uint64, bool) {
	if n.from == fromUser {
		if in.Snapshot.State(int(n.slot)) != profile.Present {
			return 0, false
		}
		return uint64(in.Snapshot.Int(int(n.slot))), true
	}
	return source{from: n.from, slot: int(n.slot)}.bits(in)
}

// fewTexts is up to how many texts going through them is faster than to halve.
const fewTexts = 8

func (c *code) among(n *node, got string) bool {
	spans := c.spans[n.aux : n.aux+uint32(n.number)]
	if len(spans) > fewTexts {
		_, found := slices.BinarySearchFunc(spans, got, func(s span, got string) int { return strings.Compare(c.text[s.from:s.to], got) })
		return found
	}
	for _, s := range spans {
		if c.text[s.from:s.to] == got {
			return true
		}
	}
	return false
}

func (c *code) constant(n *node) string { return c.text[n.aux : uint64(n.aux)+n.number] }

func (c *code) member(n *node, in *Input) outcome {
	if in.Snapshot.State(int(n.slot)) != profile.Present {
		return isError
	}
	list, constant := in.Snapshot.Values(int(n.slot)), c.constant(n)
	for i := range list.Len() {
		if list.String(i) == constant {
			return isTrue
		}
	}
	return isFalse
}

// count is the comparison of the number of events in a window, which is counted once for a question.
func (n *node) count(in *Input, s *Scratch) (outcome, int64) {
	w := s.window(n.slot, n.window, in)
	return countedOutcome(w.count, w.cut, n.test, int64(n.number)), w.until
}
