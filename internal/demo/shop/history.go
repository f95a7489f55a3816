package shop

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxVisits bounds the most active shopper: with at most maxViews views a visit, no event type passes what a snapshot holds.
const (
	maxVisits = 40
	maxViews  = 5
)

// The steps of the funnel, as probabilities.
const (
	searches   = 0.22 // a visit has a search
	addsToCart = 0.26 // a viewed product goes into the cart
	removes    = 0.14 // a product in the cart leaves it again
	writesIn   = 0.1  // a visit of somebody who is on WhatsApp ends with a message to the shop
	onTheHour  = 0.3  // a visit answers a campaign, which are sent on the hour
	keepsCart  = 0.6  // what was left in the cart is still there at the next visit
)

// hourly is how many visits begin in each local hour, relative to each other.
var hourly = [24]float64{1, 0.5, 0.3, 0.2, 0.2, 0.4, 1, 2, 3, 3, 3, 3.5, 4.5, 4, 3, 3, 3.5, 4.5, 6, 7.5, 8.5, 8, 5, 2.5}

// history tells the visits of the last Days as events, oldest first, and leaves what they amount to in p.
func (g *Generator) history(p *person) ([]Event, error) {
	starts := make([]time.Time, 0, p.visits)
	for range p.visits {
		if start := g.visit(p); start.After(p.signedUp) && start.Before(g.cfg.Now) {
			starts = append(starts, start)
		}
	}
	slices.SortFunc(starts, time.Time.Compare)
	log := eventLog{user: p.id, events: make([]Event, 0, 5*len(starts))}
	g.cart = g.cart[:0]
	for i, start := range starts {
		end := g.cfg.Now
		if i+1 < len(starts) && starts[i+1].Before(end) {
			end = starts[i+1] // one visit at a time: the next one cuts it short
		}
		g.session(p, &log, start, end)
	}
	if n := len(log.events); n > 0 {
		p.lastSeen = log.events[n-1].OccurredAt
	}
	p.cartValue = 0
	for _, item := range g.cart {
		p.cartValue += item.total()
	}
	return log.events, log.err
}

// visit draws when a visit begins: on some day, more often at the weekend, at a likely local hour, and now and then in the first minutes
// after a campaign was sent.
func (g *Generator) visit(p *person) time.Time {
	ago := g.rng.IntN(Days)
	day := g.cfg.Now.In(p.zone).AddDate(0, 0, -ago)
	// Now and then the Saturday before instead, if it is still within the told time.
	if back := int(day.Weekday()) + 1; back <= 6 && back > 1 && ago+back < Days && g.chance(0.2) {
		day = day.AddDate(0, 0, -back)
	}
	hour := pick(g.rng, hourly[:], func(w *float64) float64 { return *w })
	start := time.Date(day.Year(), day.Month(), day.Day(), hour, 0, 0, 0, p.zone)
	if g.chance(onTheHour) {
		return start.Add(g.between(0, 3*time.Minute)).UTC()
	}
	return start.Add(g.between(0, time.Hour)).UTC()
}

// session is one visit. Whatever would lie at or after end does not happen.
func (g *Generator) session(p *person, log *eventLog, start, end time.Time) {
	at := start.Truncate(time.Millisecond)
	step := func() bool {
		at = at.Add(g.between(8*time.Second, 100*time.Second)).Truncate(time.Millisecond)
		return at.Before(end)
	}
	log.add(EventOpened, at, Opening{Platform: p.platform, AppVersion: p.version})
	if !g.chance(keepsCart) {
		g.cart = g.cart[:0]
	}
	if g.chance(searches) && step() {
		c := &catalogue[g.interest(p)]
		log.add(EventSearch, at, Search{Query: strings.ReplaceAll(c.products[g.product(c)].id, "-", " "), Results: g.rng.IntN(40)})
	}
	views := 1
	for views < maxViews && g.chance(0.5) {
		views++
	}
	for range views {
		if !step() {
			return
		}
		g.view(p, log, &at, step)
	}
	if len(g.cart) > 0 && g.chance(removes) && step() {
		last := len(g.cart) - 1
		item := g.cart[last]
		item.Quantity = 0
		log.add(EventRemoved, at, item)
		g.cart = g.cart[:last]
	}
	if len(g.cart) > 0 && g.chance(p.buyer) && step() {
		g.buy(p, log, at)
	}
	if p.consent["whatsapp"] && g.chance(writesIn) && step() {
		log.add(EventInbound, at, Inbound{Topic: inboundTopics[g.rng.IntN(len(inboundTopics))]})
	}
}

// view looks at a product and perhaps puts it into the cart.
func (g *Generator) view(p *person, log *eventLog, at *time.Time, step func() bool) {
	index := g.interest(p)
	c := &catalogue[index]
	product := &c.products[g.product(c)]
	item := Item{ProductID: product.id, Category: c.name, Price: product.price}
	p.views[index]++
	log.add(EventViewed, *at, item)
	if g.chance(addsToCart) && step() {
		item.Quantity = 1
		for item.Quantity < 3 && g.chance(0.15) {
			item.Quantity++
		}
		log.add(EventAdded, *at, item)
		g.cart = append(g.cart, item)
	}
}

// buy empties the cart.
func (g *Generator) buy(p *person, log *eventLog, at time.Time) {
	order := Order{OrderID: fmt.Sprintf("o-%s-%d", p.id, p.orders+1)}
	dearest := 0.0
	for _, item := range g.cart {
		order.Total += item.total()
		order.Items += item.Quantity
		if item.Price > dearest {
			dearest, order.Category = item.Price, item.Category
		}
	}
	if g.chance(0.15) {
		order.Coupon = "TAKE10"
		order.Total *= 0.9
	}
	order.Total = cents(order.Total)
	log.add(EventPurchase, at, order)
	p.orders++
	p.value += order.Total
	g.cart = g.cart[:0]
}

// interest draws a category: mostly the favourite one.
func (g *Generator) interest(p *person) int {
	switch x := g.rng.Float64(); {
	case x < 0.6:
		return p.favourite
	case x < 0.85:
		return p.second
	}
	return g.rng.IntN(len(catalogue))
}

// product draws one of the category: the best-selling one most often.
func (g *Generator) product(c *category) int {
	return min(int(g.rng.ExpFloat64()*1.8), len(c.products)-1)
}

// eventLog collects the events of one shopper in the order of time.
type eventLog struct {
	user   string
	events []Event
	err    error // the first failure to encode properties
}

func (l *eventLog) add(name string, at time.Time, properties any) {
	encoded, err := json.Marshal(properties)
	if err != nil && l.err == nil {
		l.err = fmt.Errorf("encode properties of %s: %w", name, err)
	}
	id := fmt.Sprintf("%s-%d", l.user, len(l.events)+1)
	l.events = append(l.events, Event{ID: id, UserID: l.user, Name: name, OccurredAt: at.UTC(), Properties: encoded})
}
