package rules

import (
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// windowEdge: an event enters the window (now-w, now] at its own instant and leaves at its instant plus w. When the store cut the type's
// events, the window is complete again once it begins after the cut.
type windowEdge struct {
	slot   int
	window int64
}

func (e windowEdge) next(in *Input) int64 {
	events := in.Snapshot.Events(e.slot)
	return min(windowNext(events, in.Now, e.window), healedAt(events, in.Now, e.window))
}

// windowNext is the next instant at which an event enters or leaves (now-w, now].
func windowNext(events profile.Events, now, w int64) int64 {
	from, to := events.Window(now, w)
	return entersOrLeaves(events, w, from, to)
}

// windowUntil is the edge of a window whose events are known: those from index from up to to.
func windowUntil(events profile.Events, now, w int64, from, to int) int64 {
	return min(entersOrLeaves(events, w, from, to), healedAt(events, now, w))
}

func entersOrLeaves(events profile.Events, w int64, from, to int) int64 {
	until := Forever
	if from < to {
		until = events.At(from) + w
	}
	if to < events.Len() {
		until = min(until, events.At(to))
	}
	return until
}

func healedAt(events profile.Events, now, w int64) int64 {
	if since := events.Since(); since > 0 && now-w+1 < since {
		return since + w - 1
	}
	return Forever
}

// lifeEdge: first and last change when a future event begins to count, when an event leaves by retention, and when retention has passed over what the
// store cut.
type lifeEdge struct {
	slot      int
	retention int64
}

func (e lifeEdge) next(in *Input) int64 {
	events := in.Snapshot.Events(e.slot)
	return min(windowNext(events, in.Now, e.retention), healedAt(events, in.Now, e.retention))
}

// anyMoment is a use of now that has no computable edge.
type anyMoment struct{}

func (anyMoment) next(in *Input) int64 { return in.Now }

// crossingEdge solves now·Now + Σ sign·term = 0.
type crossingEdge struct {
	now   int64
	terms []term
}

type term struct {
	sign    int64
	expr    ast.Expr
	program cel.Program
}

// maxShift bounds the durations of a crossing: beyond it, sums leave CEL's range and the comparison has edges of its own.
const maxShift = 73 * 365 * 24 * time.Hour

func (c *crossingEdge) next(in *Input) int64 {
	sum := int64(0)
	for _, t := range c.terms {
		value, _, err := t.program.Eval(in)
		if err != nil {
			return Forever // the comparison fails whatever the time; the term's own edges are listed beside this one
		}
		var nanos int64
		switch v := value.(type) {
		case types.Timestamp:
			if v.Before(profile.MinTime) || !v.Before(profile.MaxTime) {
				return in.Now
			}
			nanos = v.UnixNano()
		case types.Duration:
			if v.Duration > maxShift || v.Duration < -maxShift {
				return in.Now
			}
			nanos = int64(v.Duration)
		default:
			return in.Now
		}
		next := sum + t.sign*nanos
		if (next > sum) != (t.sign*nanos > 0) && nanos != 0 {
			return in.Now // left int64
		}
		sum = next
	}
	turn := -c.now * sum
	switch {
	case turn > in.Now:
		return turn
	case turn == in.Now:
		return turn + 1
	default:
		return Forever
	}
}

const day = 24 * time.Hour

// calendarEdge: a field of the local time changes at the next boundary of its unit, or when the zone's offset changes. Without a zone the accessor fails
// whatever the time.
type calendarEdge struct {
	unit time.Duration
	zone func(in *Input) (*time.Location, bool)
}

func (e calendarEdge) next(in *Input) int64 {
	zone, ok := e.zone(in)
	if !ok {
		return Forever
	}
	local := time.Unix(0, in.Now).In(zone)
	_, offset := local.Zone()
	shifted := in.Now + int64(offset)*int64(time.Second)
	unit := int64(e.unit)
	boundary := in.Now + unit - ((shifted%unit)+unit)%unit
	if _, end := local.ZoneBounds(); !end.IsZero() && end.UnixNano() > in.Now {
		boundary = min(boundary, end.UnixNano())
	}
	return boundary
}
