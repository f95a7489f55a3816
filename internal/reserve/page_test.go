package reserve

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const (
	second = int64(time.Second)
	start  = int64(1_800_000_000) * second
)

// store keeps documents as a store does, and lends a page for each call.
type store struct {
	ledgers, limits map[string][]byte
	events          map[string]int64 // when, by the event's id and user
}

func newStore() *store {
	return &store{ledgers: map[string][]byte{}, limits: map[string][]byte{}, events: map[string]int64{}}
}

type fataler interface{ Fatalf(string, ...any) }

func (s *store) call(t fataler, now int64, work func(p *Page)) {
	p := &Page{Now: now, Retention: 720 * time.Hour, Ledgers: map[string]*Ledger{}, Limits: map[string]*Limit{}}
	decode(t, s.ledgers, p.Ledgers)
	decode(t, s.limits, p.Limits)
	work(p)
	encode(t, s.ledgers, p.Ledgers)
	encode(t, s.limits, p.Limits)
	for _, e := range p.Events {
		key := e.UserID + e.ID
		if _, twice := s.events[key]; twice {
			t.Fatalf("%q was sent twice", key)
		}
		s.events[key] = e.OccurredAt.UnixNano()
	}
}

func decode[T any](t fataler, from map[string][]byte, to map[string]*T) {
	for name, doc := range from {
		to[name] = new(T)
		if err := json.Unmarshal(doc, to[name]); err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
	}
}

func encode[T any](t fataler, to map[string][]byte, from map[string]*T) {
	for name, v := range from {
		doc, err := json.Marshal(v)
		if err != nil {
			t.Fatalf("%v", err)
		}
		to[name] = doc
	}
}

// held is what the test itself knows of a send.
type held struct {
	user, id, promotion string
	until               int64 // of a reservation
	at                  int64 // of a confirmation
}

// TestNoSlotIsGivenTwice is the law of reservations over random calls of machines whose clocks disagree: at no instant is more reserved and confirmed than a cap or a limit allows,
// what was granted can be confirmed until it lapses, what was confirmed is one event for ever, and a slot that is free is granted.
func TestNoSlotIsGivenTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit, most := int64(rapid.IntRange(1, 2).Draw(t, "limit")), int64(rapid.IntRange(1, 3).Draw(t, "cap"))
		s, now, sends := newStore(), start, map[string]*held{}
		latest := now // no call judges by an earlier time than one before it that touched the same rows
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			now += rapid.SampledFrom([]int64{0, second / 2, second, 4 * second}).Draw(t, "passes")
			clock := now - rapid.SampledFrom([]int64{0, 0, second, 3 * second, 9 * second}).Draw(t, "behind")
			latest = max(latest, clock)
			user, id := rapid.SampledFrom([]string{"u", "v"}).Draw(t, "user"), rapid.SampledFrom([]string{"1", "2"}).Draw(t, "id")
			key, promotion := user+id, rapid.SampledFrom([]string{"p", "p", "q"}).Draw(t, "promotion")
			known := sends[key]
			if known != nil && known.at == 0 {
				promotion = known.promotion
			}
			if rapid.Bool().Draw(t, "reserve") {
				c := Claim{
					User: user, SendID: id, Promotion: promotion, Channel: "push", For: time.Duration(rapid.IntRange(1, 3).Draw(t, "for")) * time.Second, Limit: map[string]int64{"p": limit}[promotion],
					Caps: []Cap{{Sends: most, Per: 20 * time.Second}},
				}
				var g Grant
				s.call(t, clock, func(p *Page) { g = p.Reserve([]Claim{c})[0] })
				switch {
				case known != nil && known.at != 0:
					if g.Outcome != AlreadySent && g.Outcome != Mismatch {
						t.Fatalf("%s was confirmed, and then %+v", key, g)
					}
				case g.Outcome == Granted:
					if known != nil && known.until > latest && g.Expires != known.until {
						t.Fatalf("a repeat of %+v got %+v", known, g)
					}
					sends[key] = &held{user: user, id: id, promotion: promotion, until: g.Expires}
				case g.RetryAt != 0 && g.RetryAt <= clock:
					t.Fatalf("refused until the past: %+v", g)
				case g.Outcome == Limited && taken(sends, promotion, clock) < limit:
					t.Fatalf("%+v, although %d of %d are taken", g, taken(sends, promotion, clock), limit)
				}
			} else {
				release := rapid.Bool().Draw(t, "release")
				var state State
				s.call(t, clock, func(p *Page) { state = p.Settle([]Settlement{{User: user, SendID: id, Release: release}})[0] })
				switch {
				case known == nil:
				case known.at != 0 && state != Confirmed:
					t.Fatalf("%s was confirmed, and then %s", key, state)
				case known.at == 0 && release:
					delete(sends, key)
				case known.at == 0 && state == Confirmed:
					known.at = s.events[user+eventIDPrefix+id]
					if known.at == 0 || known.at >= known.until {
						t.Fatalf("confirmed at %d what lapsed at %d", known.at, known.until)
					}
				case known.at == 0 && state == Lapsed && known.until > latest:
					t.Fatalf("%s lapsed before its time", key)
				case known.at == 0 && state == Unknown:
					t.Fatalf("%s was forgotten", key)
				}
			}
			check(t, sends, limit, most, latest)
		}
	})
}

// taken is how many sends of the promotion hold a slot at the time.
func taken(sends map[string]*held, promotion string, now int64) (n int64) {
	for _, h := range sends {
		if h.promotion == promotion && (h.at != 0 || h.until > now) {
			n++
		}
	}
	return n
}

func check(t *rapid.T, sends map[string]*held, limit, most, now int64) {
	users := map[string]int64{}
	if n := taken(sends, "p", now); n > limit { // q has none
		t.Fatalf("%d sends, the limit is %d", n, limit)
	}
	for _, h := range sends {
		if h.at > now-20*second || h.at == 0 && h.until > now {
			users[h.user]++
		}
	}
	for user, n := range users {
		if n > most {
			t.Fatalf("%d sends to %s, the cap is %d", n, user, most)
		}
	}
}

// TestRefusalsSayWhenToComeBack: at RetryAt, and not a nanosecond sooner, a slot is free if nothing was confirmed.
func TestRefusalsSayWhenToComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, now := newStore(), start
		claim := func(id string) Claim {
			return Claim{User: "u", SendID: id, Promotion: "p", Channel: "push", For: time.Second, Limit: 9, Caps: []Cap{{Sends: 2, Per: 30 * time.Second}, {Sends: 3, Per: 50 * time.Second}}}
		}
		for n := range rapid.IntRange(2, 6).Draw(t, "sends") {
			now += rapid.Int64Range(1, 20*second).Draw(t, "passes")
			s.call(t, now, func(p *Page) {
				c := claim(fmt.Sprint(n))
				c.For = time.Duration(rapid.IntRange(1, 60).Draw(t, "for")) * time.Second
				if p.Reserve([]Claim{c})[0].Outcome == Granted && rapid.Bool().Draw(t, "confirm") {
					p.Settle([]Settlement{{User: "u", SendID: c.SendID}})
				}
			})
		}
		try := func(at int64) (g Grant) {
			copied := newStore()
			for name, doc := range s.ledgers {
				copied.ledgers[name] = doc
			}
			for name, doc := range s.limits {
				copied.limits[name] = doc
			}
			copied.call(t, at, func(p *Page) { g = p.Reserve([]Claim{claim("x")})[0] })
			return g
		}
		g := try(now)
		if g.Outcome == Granted {
			return
		}
		if before := try(g.RetryAt - 1); before.Outcome == Granted {
			t.Fatalf("free before %d", g.RetryAt)
		}
		if after := try(g.RetryAt); after.Outcome != Granted {
			t.Fatalf("%+v, and then %+v", g, after)
		}
	})
}

func TestALedgerIsBounded(t *testing.T) {
	s := newStore()
	for n := 0; n < MaxSends+10; n += 10 {
		s.call(t, start, func(p *Page) {
			for i := range 10 {
				g := p.Reserve([]Claim{{User: "u", SendID: fmt.Sprint(n + i), Promotion: "p", Channel: "push", For: MaxFor}})[0]
				if want := n+i < MaxSends; (g.Outcome == Granted) != want || !want && g.Outcome != Capped {
					t.Fatalf("send %d: %+v", n+i, g)
				}
			}
		})
	}
	var ledger Ledger
	if err := json.Unmarshal(s.ledgers["u"], &ledger); err != nil || len(ledger.Sends) != MaxSends {
		t.Fatalf("%d sends are kept, %v", len(ledger.Sends), err)
	}
	later := ledger.Until(720 * time.Hour)
	s.call(t, later, func(p *Page) {
		if g := p.Reserve([]Claim{{User: "u", SendID: "x", Promotion: "p", Channel: "push", For: MaxFor}})[0]; g.Outcome != Granted || len(p.Ledgers["u"].Sends) != 1 {
			t.Errorf("when all is over: %+v, and %d sends are kept", g, len(p.Ledgers["u"].Sends))
		}
	})
}

// TestALimitStaysSmall however many reservations there are.
func TestALimitStaysSmall(t *testing.T) {
	s := newStore()
	for n := range 1_000 {
		s.call(t, start+int64(n)*second, func(p *Page) {
			for i := range 5 {
				p.Reserve([]Claim{{User: fmt.Sprint("u", i), SendID: fmt.Sprint(n), Promotion: "p", Channel: "push", For: MaxFor, Limit: 1 << 30}})
			}
			p.Ledgers = nil // of no interest here
		})
	}
	if size := len(s.limits["p"]); size > 32<<10 {
		t.Errorf("a limit takes %d bytes", size)
	}
}
