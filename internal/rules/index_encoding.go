package rules

import (
	"math"
	"slices"
)

// encoding is what a coding makes of a user: his class on every axis, which says the same until the coding grows, and where windows begin and end among his events,
// which says the same for a while. It is kept beside the snapshot.
type encoding struct {
	coding  *coding
	classes []uint16     // by axis; of an axisMember, where its classes begin in members; none of what the request decides
	members []uint8      // 0, for what is not a list; then of each list how many classes, and these
	windows []windowSpan // by place in the coding, of the first keptWindows
	at, end int64        // windows are those of any instant in [at, end)
}

// windowSpan is the events in a window, among those of their type: from the one, up to the other. Where there are too many for that, to is unkept.
type windowSpan struct{ from, to uint8 }

const (
	keptWindows = 64
	unkept      = math.MaxUint8
)

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
	s.classes, s.members, s.spans = append(s.classes[:0], e.classes...), e.members, e.windows
	for _, at := range c.asked {
		s.classes[at] = uint16(c.axes[at].class(in))
	}
}

// encoded is the user's encoding: the one beside the snapshot, or one of the scratch's memory the first time that it is asked for.
func (c *coding) encoded(in *Input, s *Scratch) *encoding {
	kept, _ := in.Snapshot.Derived.Load().(*encoding)
	if kept == nil {
		c.encode(&s.user, in) // windows are looked for when they are asked for
		in.Snapshot.Derived.Store(met)
		return &s.user
	}
	if kept.coding == nil || !kept.coding.sortsLike(c) {
		c.encode(&s.user, in)
		kept = &encoding{coding: c, classes: slices.Clone(s.user.classes), members: slices.Clone(s.user.members)}
		kept.look(in)
		in.Snapshot.Derived.Store(kept)
	} else if in.Now < kept.at || in.Now >= kept.end {
		kept = &encoding{coding: c, classes: kept.classes, members: kept.members}
		kept.look(in)
		in.Snapshot.Derived.Store(kept)
	}
	return kept
}

// look finds the windows' events at the input's instant.
func (e *encoding) look(in *Input) {
	e.at, e.end = in.Now, Forever
	e.windows = make([]windowSpan, min(len(e.coding.windows), keptWindows))
	for i := range e.windows {
		w := &e.coding.windows[i]
		events := in.Snapshot.Events(w.slot)
		from, to := events.Window(in.Now, w.window)
		e.end = min(e.end, windowUntil(events, in.Now, w.window, from, to))
		e.windows[i] = windowSpan{from: uint8(min(from, unkept)), to: uint8(min(to, unkept))}
	}
}
