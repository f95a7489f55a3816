package fakefeed

import (
	"errors"
	"math/rand/v2"
)

// Faults is what a feed does on purpose. The zero value is a feed without faults. Counts are of the messages of one feed; 0: never.
type Faults struct {
	Repeats     float64 // share of rows that are followed by one of the rows before it, a repeat and often an inversion of its key
	CutAfter    int     // about after so many messages, and the first resolved stamp, the connection is cut in the middle of one: what came before is behind it for good
	DownAfter   int     // about after so many the server says that it shuts down
	SilentAfter int     // after so many nothing comes any more, and the connection stays open
	NullKeyAt   int     // this message, if it is a row, has no key
	UndatedAt   int     // this message, if it is a row, has no stamp
	Refuse      *Error  // every feed gets this error instead
}

// Ends that faults bring about.
var (
	errCut    = errors.New("fakefeed: cut")
	errSilent = errors.New("fakefeed: silent")
)

// remembered is how many rows a feed may repeat from.
const remembered = 64

// disturbance is the faults of one feed on its way.
type disturbance struct {
	Faults
	random    *rand.Rand
	sent      int
	resolved  bool // a stamp was sent
	cut, down int
	before    []Message
}

func newDisturbance(f Faults, seed uint64) *disturbance {
	d := &disturbance{Faults: f, random: rand.New(rand.NewPCG(seed, 1))}
	about := func(n int) int {
		if n <= 0 {
			return 0
		}
		return n/2 + 1 + d.random.IntN(n)
	}
	d.cut, d.down = about(f.CutAfter), about(f.DownAfter)
	return d
}

// disturb says what is sent in place of m, and how the feed ends after it, if it does.
func (d *disturbance) disturb(m Message) (out []Message, end error) {
	d.sent++
	switch {
	case d.SilentAfter > 0 && d.sent > d.SilentAfter:
		return nil, errSilent
	case d.cut > 0 && d.sent >= d.cut && d.resolved:
		return []Message{m}, errCut
	case d.down > 0 && d.sent >= d.down:
		return nil, Shutdown()
	}
	if m.Table == nil {
		d.resolved = true
		return []Message{m}, nil
	}
	if d.sent == d.NullKeyAt {
		m.Key = nil
	}
	if d.sent == d.UndatedAt {
		undated := `{"after": null}`
		m.Value = &undated
	}
	out = append(out, m)
	if d.random.Float64() < d.Repeats && len(d.before) > 0 {
		out = append(out, d.before[d.random.IntN(len(d.before))])
	}
	if d.before = append(d.before, m); len(d.before) > remembered {
		d.before = d.before[1:]
	}
	return out, nil
}
