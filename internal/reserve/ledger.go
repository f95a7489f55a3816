package reserve

import (
	"cmp"
	"slices"
	"time"
)

// Ledger is the sends of one user that still matter. Its clock only grows: what has lapsed stays so, whichever replica looks next and whatever its clock says.
type Ledger struct {
	Clock int64   `json:"clock"` // wall nanoseconds
	Sends []*Send `json:"sends"`
}

// Send is one send, reserved or confirmed.
type Send struct {
	ID         string `json:"id"`
	Promotion  string `json:"promotion"`
	Channel    string `json:"channel"`
	CampaignID int32  `json:"campaignId,omitempty"`
	Expires    int64  `json:"expires,omitempty"` // wall nanoseconds, on a whole second; of a reservation
	At         int64  `json:"at,omitempty"`      // when it was confirmed; 0: it was not
	Limited    bool   `json:"limited,omitempty"` // it holds a slot of the promotion's limit
}

func (s *Send) live(now int64) bool { return s.At == 0 && now < s.Expires }

// find returns the send of an id, or nil.
func (l *Ledger) find(id string) *Send {
	for _, s := range l.Sends {
		if s.ID == id {
			return s
		}
	}
	return nil
}

func (l *Ledger) drop(gone *Send) {
	l.Sends = slices.DeleteFunc(l.Sends, func(s *Send) bool { return s == gone })
}

// prune forgets what nobody asks about any more.
func (l *Ledger) prune(retention time.Duration) {
	l.Sends = slices.DeleteFunc(l.Sends, func(s *Send) bool {
		if s.At != 0 {
			return s.At <= l.Clock-int64(retention)
		}
		return s.Expires <= l.Clock-int64(lateKept)
	})
}

// Until is when nothing of the ledger matters any more, in wall nanoseconds.
func (l *Ledger) Until(retention time.Duration) int64 {
	until := l.Clock
	for _, s := range l.Sends {
		until = max(until, s.At+int64(retention), s.Expires+int64(lateKept))
	}
	return until
}

// full says whether the cap takes no further send at the ledger's clock, and when it does again if nothing is confirmed or granted meanwhile.
func (l *Ledger) full(c *Cap) (full bool, until int64) {
	var ends []int64
	for _, s := range l.Sends {
		if c.Channel != "" && c.Channel != s.Channel || c.Promotion != "" && c.Promotion != s.Promotion {
			continue
		}
		switch {
		case s.At != 0 && s.At > l.Clock-int64(c.Per):
			ends = append(ends, s.At+int64(c.Per))
		case s.live(l.Clock):
			ends = append(ends, s.Expires)
		}
	}
	over := int64(len(ends)) - c.Sends
	if over < 0 {
		return false, 0
	}
	slices.Sort(ends)
	return true, ends[min(over, int64(len(ends)-1))]
}

// Limit is how many sends of a promotion are taken. Reservations are counted by the second in which they lapse: so that it is small however many there are, and
// what lapsed is given back without looking for it.
type Limit struct {
	Clock     int64  `json:"clock"`
	Confirmed int64  `json:"confirmed"`
	Held      []Held `json:"held"` // by ascending second
}

// Held is how many reservations lapse in one second.
type Held struct {
	Second int64 `json:"s"` // since the epoch
	N      int64 `json:"n"`
}

// advance lets the clock go on.
func (l *Limit) advance(now int64) {
	l.Clock = max(l.Clock, now)
	l.Held = slices.DeleteFunc(l.Held, func(h Held) bool { return h.Second*nanosPerSlot <= l.Clock })
}

func (l *Limit) taken() int64 {
	sum := l.Confirmed
	for _, h := range l.Held {
		sum += h.N
	}
	return sum
}

func (l *Limit) hold(expires int64) {
	second := expires / nanosPerSlot
	i, found := slices.BinarySearchFunc(l.Held, second, func(h Held, second int64) int { return cmp.Compare(h.Second, second) })
	if !found {
		l.Held = slices.Insert(l.Held, i, Held{Second: second})
	}
	l.Held[i].N++
}

// give takes back what hold took.
func (l *Limit) give(expires int64) {
	second := expires / nanosPerSlot
	for i := range l.Held {
		if l.Held[i].Second == second && l.Held[i].N > 0 {
			l.Held[i].N--
			return
		}
	}
}
