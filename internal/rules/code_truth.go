package rules

import "math"

// settled reports whether the rows leave nothing open of a candidate's rule: it holds.
func (c *code) settled(lane int) bool { return c.starts[lane] == c.starts[lane+1] }

// truth is whether what the rows leave open of a candidate's rule holds, until when, exclusive, passing time alone cannot change that, and whether what was seen to keep it from
// holding could not be evaluated, as formula.truth has it. s remembers what was asked before for the same question.
func (c *code) truth(lane int, in *Input, s *Scratch) (holds bool, until int64, failed bool) {
	least, latest := Forever, unsettled
	plain := false
	at, end := c.starts[lane], c.starts[lane+1]
	for at < end { // what classes settle comes first, and most candidates fail by it
		n := &c.nodes[at]
		if n.timeless {
			if holds, failed := c.timeless(at, s); !holds {
				return false, Forever, failed && !plain
			}
			at += n.size()
			continue
		}
		holds, until, failed := c.timed(n, at, in, s)
		at += n.size()
		if holds {
			least = min(least, until)
			continue
		}
		plain = plain || !failed
		if latest = max(latest, until); latest == Forever {
			break
		}
	}
	if latest != unsettled {
		return false, latest, !plain
	}
	return true, least, false
}

// unsettled is before the end of anything that settles a junction.
const unsettled = int64(math.MinInt64)

// timed is the truth of a node that time may change.
func (c *code) timed(n *node, at int32, in *Input, s *Scratch) (holds bool, until int64, failed bool) {
	switch n.kind {
	case nodeCount:
		return n.counts(in, s)
	case nodeValue:
		v := &c.values.list[n.at]
		value, until := c.values.ask(v, in, s)
		return value.is(v.want), until, value == isError
	default:
		return c.junction(at+1, at+int32(n.at), n.kind == nodeOr, in, s)
	}
}

// junction is the truth of the nodes from at to end, joined by OR when decisive is set and else by AND.
func (c *code) junction(at, end int32, decisive bool, in *Input, s *Scratch) (holds bool, until int64, failed bool) {
	least, latest := Forever, unsettled
	plain := false
	for at < end {
		n := &c.nodes[at]
		var holds, failed bool
		until := Forever
		switch {
		case !n.timeless:
			holds, until, failed = c.timed(n, at, in, s)
		case n.kind > nodeOr:
			holds, failed = c.class(n, s)
		default:
			holds, failed = c.timeless(at, s)
		}
		if n.timeless && holds == decisive {
			return decisive, Forever, !decisive && failed && !plain
		}
		at += n.size()
		plain = plain || !holds && !failed
		if holds == decisive {
			if latest = max(latest, until); latest == Forever {
				break
			}
			continue
		}
		least = min(least, until)
	}
	if latest != unsettled {
		return decisive, latest, !decisive && !plain
	}
	return !decisive, least, decisive && !plain
}

// size is in nodes, with what is below.
func (n *node) size() int32 {
	if n.kind <= nodeOr {
		return int32(n.at)
	}
	return 1
}

// timeless is the truth of a node that classes settle.
func (c *code) timeless(at int32, s *Scratch) (holds, failed bool) {
	n := &c.nodes[at]
	if n.kind > nodeOr {
		return c.class(n, s)
	}
	decisive, plain := n.kind == nodeOr, false
	for kid, end := at+1, at+int32(n.at); kid < end; {
		k := &c.nodes[kid]
		if k.kind > nodeOr {
			holds, failed = c.class(k, s)
			kid++
		} else {
			holds, failed = c.timeless(kid, s)
			kid += int32(k.at)
		}
		plain = plain || !holds && !failed
		if holds == decisive {
			return decisive, !decisive && !plain
		}
	}
	return !decisive, decisive && !plain
}

// class is the truth of a node about one axis.
func (c *code) class(n *node, s *Scratch) (holds, failed bool) {
	class := s.classes[n.at]
	switch n.kind {
	case nodeIn:
		holds = class-uint16(n.low) <= uint16(n.high-n.low)
	case nodeFact:
		return class-uint16(n.low) <= uint16(n.high-n.low), false
	case nodeOut:
		holds = class != classNone && class-uint16(n.low) > uint16(n.high-n.low)
	case nodeSet:
		set := &c.sets[n.setAt()]
		holds = set[class>>6]&(1<<(class&63)) != 0
	case nodeMember:
		holds = class != noList && s.has(class, n.low)
	default:
		holds = class != noList && !s.has(class, n.low)
	}
	return holds, !holds && class == classNone
}

// counts is the truth of a node about the events in a window, which are counted once for a question. Of a window that the store cut, the count is the least that it may be.
func (n *node) counts(in *Input, s *Scratch) (holds bool, until int64, failed bool) {
	w := s.window(int(n.at), in)
	holds = w.count >= n.low && w.count <= n.high
	if w.cut {
		holds = w.count >= n.low && n.high == mostCounted
		failed = !holds && w.count <= n.high
	}
	return holds, w.until, failed
}
