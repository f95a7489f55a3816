package rules

import "slices"

// encoding is what a coding makes of a user: his class on every axis. It is kept beside the snapshot, since it says the same until the coding grows.
type encoding struct {
	coding  *coding
	classes []uint16 // by axis; of an axisMember, where its classes begin in members; none of what the request decides
	members []uint8  // 0, for what is not a list; then of each list how many classes, and these
}

// met is beside a snapshot that was encoded once: most users of a stream never come again, and need no memory for it.
var met = &encoding{}

// encode makes e of the input's user.
func (c *coding) encode(e *encoding, in *Input) {
	e.coding = c
	e.classes = slices.Grow(e.classes[:0], len(c.axes))[:len(c.axes)]
	e.members = append(e.members[:0], 0)
	for i := range c.axes {
		switch a := &c.axes[i]; {
		case a.asked():
			e.classes[i] = classNone
		case a.kind == axisMember:
			at := len(e.members)
			e.members = a.members(in, e.members)
			e.classes[i] = noList
			if len(e.members) > at {
				e.classes[i] = uint16(at)
			}
		default:
			e.classes[i] = uint16(a.class(in))
		}
	}
}

// Encode sorts the input into the classes of the ruleset's index: once for each decision, before any Walk, and again when anything of the input has changed.
func (rs *Ruleset) Encode(in *Input, s *Scratch) {
	s.begin(rs.coding)
	c := rs.coding
	if c == nil {
		return
	}
	e := c.encoded(in, s)
	s.classes, s.members = append(s.classes[:0], e.classes...), e.members
	for _, at := range c.asked {
		s.classes[at] = uint16(c.axes[at].class(in))
	}
}

// encoded is the user's encoding: the one beside the snapshot, or one of the scratch's memory the first time that it is asked for.
func (c *coding) encoded(in *Input, s *Scratch) *encoding {
	kept, _ := in.Snapshot.Derived.Load().(*encoding)
	if kept == nil {
		c.encode(&s.user, in)
		in.Snapshot.Derived.Store(met)
		return &s.user
	}
	if kept.coding != c {
		c.encode(&s.user, in)
		kept = &encoding{coding: c, classes: slices.Clone(s.user.classes), members: slices.Clone(s.user.members)}
		in.Snapshot.Derived.Store(kept)
	}
	return kept
}
