package traffic

import (
	"container/heap"
	"slices"
	"time"
)

// shown is a promotion in a placement.
type shown struct {
	placement int32
	promotion string
}

// watched is a shopper of the cast with what was last answered about it. It belongs to one worker.
type watched struct {
	Role
	visiting bool
	asked    bool // there is an answer to compare with
	messages []shown
	first    string  // id of the first message of the last answer, "" when there was none
	cart     float64 // total of what this simulation put into the cart

	due   time.Time // when to ask again; zero: when something happens
	index int       // in the agenda, -1 when it is not there
}

// patience bounds how soon a shopper is asked again because of time alone: an answer that says "valid until now" depends on time in a way
// that has no next edge, and must not make the simulation ask in a loop.
const patience = 5 * time.Second

// margin is added to validUntil, so that a request which arrives by a hair too early is not the rule.
const margin = 2 * time.Millisecond

// compare takes in an answer that was asked for at now and returns what was gained and lost against the one before; nothing for the first.
func (w *watched) compare(a *answer, now time.Time) (gained, lost []shown) {
	var messages []shown
	w.first = ""
	for _, p := range a.Placements {
		for _, m := range p.Messages {
			if w.first == "" {
				w.first = m.MessageID
			}
			messages = append(messages, shown{p.Placement, m.Promotion})
		}
	}
	if w.asked {
		gained, lost = without(messages, w.messages), without(w.messages, messages)
	}
	w.messages, w.asked = messages, true
	w.due = time.Time{}
	if a.ValidUntil != nil {
		w.due = a.ValidUntil.Add(margin)
		if !w.due.After(now.Add(margin)) {
			w.due = now.Add(patience)
		}
	}
	return gained, lost
}

// without is the elements of a that b lacks. Both hold a handful.
func without(a, b []shown) []shown {
	var out []shown
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// agenda orders shoppers by when to ask them again, soonest first.
type agenda []*watched

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due.Before(a[j].due) }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

// Push and Pop are for container/heap alone.
func (a *agenda) Push(x any) {
	w := x.(*watched)
	w.index = len(*a)
	*a = append(*a, w)
}

// Pop removes the last element.
func (a *agenda) Pop() any {
	old := *a
	w := old[len(old)-1]
	*a, w.index = old[:len(old)-1], -1
	return w
}

// settle puts w where its due time belongs, or out of the agenda when it has none.
func (a *agenda) settle(w *watched) {
	switch {
	case w.due.IsZero() && w.index >= 0:
		heap.Remove(a, w.index)
	case w.due.IsZero():
	case w.index >= 0:
		heap.Fix(a, w.index)
	default:
		heap.Push(a, w)
	}
}

// next is the shopper to ask first, nil when nobody waits for a time.
func (a agenda) next() *watched {
	if len(a) == 0 {
		return nil
	}
	return a[0]
}
