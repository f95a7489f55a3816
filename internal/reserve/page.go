package reserve

import (
	"encoding/json"
	"slices"
	"time"

	"eligibility/internal/profile"
)

// eventIDPrefix begins the ids of events of confirmed sends: apart from the ids of a backend's events, which cannot hold this character.
const eventIDPrefix = "\x01send:"

// Page is what a call works on: the ledgers of its users and the limits of their promotions, as they are stored. A store fills it, lets the call happen, and writes all of
// it back, all within one transaction. Not safe for concurrent use.
type Page struct {
	Now       int64 // the database's clock, wall nanoseconds
	Retention time.Duration
	Ledgers   map[string]*Ledger // by user
	Limits    map[string]*Limit  // by promotion
	Events    []profile.NewEvent // of the sends that were confirmed; the store adds them to the user events
}

// Users are the distinct users of claims, in order: all who lock many lock them so.
func Users[T Claim | Settlement](list []T) []string {
	users := make([]string, 0, len(list))
	for i := range list {
		switch item := any(&list[i]).(type) {
		case *Claim:
			users = append(users, item.User)
		case *Settlement:
			users = append(users, item.User)
		}
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// Promotions are the distinct promotions with a limit that claims ask for, in order.
func Promotions(claims []Claim) []string {
	var names []string
	for i := range claims {
		if claims[i].Limit > 0 {
			names = append(names, claims[i].Promotion)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Held are the distinct promotions whose limits the settlements touch, in order, once the ledgers are there.
func (p *Page) Held(list []Settlement) []string {
	var names []string
	for i := range list {
		if s := p.ledger(list[i].User).find(list[i].SendID); s != nil && s.Limited {
			names = append(names, s.Promotion)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p *Page) ledger(user string) *Ledger {
	l := p.Ledgers[user]
	if l == nil {
		l = &Ledger{}
		p.Ledgers[user] = l
	}
	return l
}

func (p *Page) limit(promotion string) *Limit {
	l := p.Limits[promotion]
	if l == nil {
		l = &Limit{}
		p.Limits[promotion] = l
	}
	return l
}

// Reserve answers the claims.
func (p *Page) Reserve(claims []Claim) []Grant {
	grants := make([]Grant, len(claims))
	for i := range claims {
		grants[i] = p.reserve(&claims[i])
	}
	return grants
}

func (p *Page) reserve(c *Claim) Grant {
	ledger := p.ledger(c.User)
	ledger.Clock = max(ledger.Clock, p.Now)
	var limit *Limit
	if c.Limit > 0 {
		limit = p.limit(c.Promotion)
		limit.advance(ledger.Clock)
		ledger.Clock = limit.Clock
	}
	ledger.prune(p.Retention)
	now := ledger.Clock
	lapsed := ledger.find(c.SendID)
	if s := lapsed; s != nil {
		switch {
		case s.Promotion != c.Promotion || s.Channel != c.Channel:
			return Grant{Outcome: Mismatch}
		case s.At != 0:
			return Grant{Outcome: AlreadySent}
		case s.live(now):
			return Grant{Outcome: Granted, Expires: s.Expires}
		}
	}
	if refused := refuse(ledger, limit, c); refused.Outcome != 0 {
		return refused // and what lapsed stays known: its message may be out
	}
	ledger.drop(lapsed)
	// The end is on a whole second, never sooner than was asked for.
	expires := (now + int64(c.For) + nanosPerSlot - 1) / nanosPerSlot * nanosPerSlot
	if limit != nil {
		limit.hold(expires)
	}
	ledger.Sends = append(ledger.Sends, &Send{
		ID: c.SendID, Promotion: c.Promotion, Channel: c.Channel, CampaignID: c.CampaignID, Expires: expires, Limited: limit != nil,
	})
	return Grant{Outcome: Granted, Expires: expires}
}

// refuse says what keeps a new reservation from being granted; the zero Grant when nothing does.
func refuse(ledger *Ledger, limit *Limit, c *Claim) Grant {
	var out Grant
	for i := range c.Caps {
		if full, until := ledger.full(&c.Caps[i]); full {
			out = Grant{Outcome: Capped, RetryAt: max(out.RetryAt, until)}
		}
	}
	switch {
	case out.Outcome != 0:
	case len(ledger.Sends) >= MaxSends:
		out = Grant{Outcome: Capped}
	case limit != nil && limit.taken() >= c.Limit:
		out = Grant{Outcome: Limited}
		if len(limit.Held) > 0 {
			out.RetryAt = limit.Held[0].Second * nanosPerSlot
		}
	}
	return out
}

// Settle ends the sends.
func (p *Page) Settle(list []Settlement) []State {
	states := make([]State, len(list))
	for i := range list {
		states[i] = p.settle(&list[i])
	}
	return states
}

func (p *Page) settle(t *Settlement) State {
	ledger := p.ledger(t.User)
	ledger.Clock = max(ledger.Clock, p.Now)
	s := ledger.find(t.SendID)
	var limit *Limit
	if s != nil && s.Limited {
		limit = p.limit(s.Promotion)
		limit.advance(ledger.Clock)
		ledger.Clock = limit.Clock
	}
	switch {
	case s == nil && t.Release:
		return Released
	case s == nil && t.Sent && t.Promotion != "":
		s = &Send{ID: t.SendID, Promotion: t.Promotion, Channel: t.Channel, CampaignID: t.CampaignID}
		ledger.prune(p.Retention)
		ledger.Sends = append(ledger.Sends, s)
	case s == nil:
		return Unknown
	case s.At != 0:
		return Confirmed // also when it is to be released: what was sent stays sent
	case t.Release:
		p.free(limit, s, ledger.Clock)
		ledger.drop(s)
		return Released
	case !s.live(ledger.Clock) && !t.Sent:
		return Lapsed
	}
	p.free(limit, s, ledger.Clock)
	if limit != nil {
		limit.Confirmed++
	}
	s.At = ledger.Clock
	p.Events = append(p.Events, event(t.User, s))
	return Confirmed
}

// free gives back the slot of a reservation that has not lapsed; a lapsed one lost it already.
func (p *Page) free(limit *Limit, s *Send, now int64) {
	if limit != nil && s.live(now) {
		limit.give(s.Expires)
	}
}

// event is the confirmed send as a user event.
func event(user string, s *Send) profile.NewEvent {
	properties, _ := json.Marshal(struct { // cannot fail: strings and an integer
		Promotion  string `json:"promotion"`
		Channel    string `json:"channel"`
		CampaignID int32  `json:"campaignId,omitempty"`
	}{s.Promotion, s.Channel, s.CampaignID})
	return profile.NewEvent{
		UserID: user, ID: eventIDPrefix + s.ID, Name: profile.EventSend, OccurredAt: time.Unix(0, s.At), Properties: properties,
	}
}
