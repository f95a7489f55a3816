package shop

import (
	"fmt"
	"slices"
	"time"
)

// character is a shopper of the tutorial: known by name, with a history that is laid out by hand so that the answer is known too.
type character struct {
	id, first, last string
	country, city   string
	story           string
	tenure          time.Duration // since signing up
	birthdayIn      int           // days
	shape           func(p *person)
	acts            []act
}

// act is one event, ago before Config.Now.
type act struct {
	ago        time.Duration
	name       string
	properties any
}

// Story tells what is particular about a named shopper.
type Story struct {
	UserID string
	Story  string
}

// Named lists the shoppers of the tutorial, in the order of their index.
func Named() []Story {
	stories := make([]Story, len(named))
	for i := range named {
		stories[i] = Story{UserID: named[i].id, Story: named[i].story}
	}
	return stories
}

const day = 24 * time.Hour

var (
	raisedBed = Item{ProductID: "raised-bed-kit", Category: "garden", Price: 119}
	bulbs     = Item{ProductID: "bulb-planter", Category: "garden", Price: 14.5}
	pan       = Item{ProductID: "cast-iron-pan", Category: "kitchen", Price: 39.5}
	drill     = Item{ProductID: "cordless-drill", Category: "tools", Price: 129}
)

// one is the item as cart_added tells it.
func one(item Item) Item {
	item.Quantity = 1
	return item
}

var named = []character{
	{
		id: "ada", first: "Ada", last: "Marlow", country: "US", city: "New York",
		story:  "left a cart two hours ago: the abandoned-cart promotion is due",
		tenure: 620 * day, birthdayIn: 100,
		shape: func(p *person) { p.pastOrders, p.pastValue, p.version = 6, 412.5, "5.4.1" },
		acts: []act{
			{12 * day, EventPurchase, Order{OrderID: "o-ada-1", Total: 64, Items: 1, Category: "kitchen"}},
			{2*time.Hour + 4*time.Minute, EventOpened, Opening{"ios", "5.4.1"}},
			{2*time.Hour + 2*time.Minute, EventViewed, raisedBed},
			{2 * time.Hour, EventAdded, one(raisedBed)},
		},
	},
	{
		id: "ben", first: "Ben", last: "Okafor", country: "GB", city: "Manchester",
		story:  "left a cart 29 minutes ago: abandoned-cart comes due one minute after the start, with no write",
		tenure: 210 * day, birthdayIn: 35,
		shape: func(p *person) { p.pastOrders, p.pastValue, p.version = 1, 44, "5.3.0" },
		acts: []act{
			{31 * time.Minute, EventOpened, Opening{"android", "5.3.0"}},
			{30 * time.Minute, EventViewed, pan},
			{29 * time.Minute, EventAdded, one(pan)},
		},
	},
	{
		id: "cleo", first: "Cleo", last: "Laurent", country: "FR", city: "Paris",
		story:  "a VIP who spent over 400 this month: early access, express shipping, double points",
		tenure: 1100 * day, birthdayIn: 220,
		shape: func(p *person) { p.pastOrders, p.pastValue, p.version = 31, 2480, "5.4.1" },
		acts: []act{
			{20 * day, EventPurchase, Order{OrderID: "o-cleo-1", Total: 299, Items: 1, Category: "kitchen"}},
			{6 * day, EventPurchase, Order{OrderID: "o-cleo-2", Total: 164, Items: 2, Category: "garden"}},
			{26 * time.Hour, EventOpened, Opening{"ios", "5.4.1"}},
		},
	},
	{
		id: "dan", first: "Dan", last: "Souza", country: "BR", city: "Recife",
		story:  "signed up yesterday and has bought nothing yet: the welcome offer; an app so old that the update is asked for",
		tenure: day, birthdayIn: 301,
		shape: func(p *person) {
			p.pastOrders, p.pastValue, p.version = 0, 0, "4.9.3"
			p.consent = map[string]bool{"push": true, "email": true, "sms": false, "whatsapp": true}
		},
		acts: []act{
			{23 * time.Hour, EventOpened, Opening{"android", "4.9.3"}},
			{23*time.Hour - time.Minute, EventViewed, bulbs},
			{50 * time.Minute, EventInbound, Inbound{"product_question"}},
		},
	},
	{
		id: "eve", first: "Eve", last: "Hoffmann", country: "DE", city: "Berlin",
		story:  "bought five times, but not for a month: we miss you; no WhatsApp yet",
		tenure: 500 * day, birthdayIn: 64,
		shape: func(p *person) {
			p.pastOrders, p.pastValue, p.version = 5, 233, "5.2.2"
			p.consent = map[string]bool{"push": true, "email": true, "sms": false, "whatsapp": false}
		},
		acts: []act{{9 * day, EventOpened, Opening{"android", "5.2.2"}}, {9*day - time.Minute, EventViewed, pan}},
	},
	{
		id: "finn", first: "Finn", last: "de Vries", country: "NL", city: "Utrecht",
		story:  "bought three days ago: the review request is due",
		tenure: 330 * day, birthdayIn: 150,
		shape: func(p *person) { p.pastOrders, p.pastValue, p.version = 3, 140, "5.4.1" },
		acts: []act{
			{3*day + 70*time.Minute, EventOpened, Opening{"ios", "5.4.1"}},
			{3*day + time.Hour, EventPurchase, Order{OrderID: "o-finn-1", Total: 129, Items: 1, Category: "tools"}},
		},
	},
	{
		id: "gita", first: "Gita", last: "Rao", country: "IN", city: "Bengaluru",
		story:  "looks at garden things and buys none: garden picks on the product card",
		tenure: 90 * day, birthdayIn: 12,
		shape: func(p *person) { p.pastOrders, p.pastValue, p.version = 1, 39.5, "5.4.1" },
		acts: []act{
			{3 * day, EventViewed, raisedBed}, {2 * day, EventViewed, bulbs}, {day, EventViewed, raisedBed}, {5 * time.Hour, EventViewed, bulbs},
		},
	},
	{
		id: "hugo", first: "Hugo", last: "Ibáñez", country: "ES", city: "Las Palmas",
		story:  "has his birthday today",
		tenure: 400 * day, birthdayIn: 0,
		shape: func(p *person) { p.pastOrders, p.pastValue, p.version = 4, 301, "5.3.0" },
		acts:  []act{{4 * day, EventOpened, Opening{"android", "5.3.0"}}, {4*day - 2*time.Minute, EventViewed, drill}},
	},
}

// named turns the drawn person into the character.
func (g *Generator) named(c *character, p *person) (Shopper, error) {
	p.first, p.last = c.first, c.last
	home := slices.IndexFunc(countries, func(in country) bool { return in.code == c.country })
	p.home = &countries[home]
	p.city = &p.home.cities[slices.IndexFunc(p.home.cities, func(in city) bool { return in.name == c.city })]
	p.zone = g.zones[p.city.zone]
	p.age, p.tags, p.store = 30+p.index, nil, ""
	p.birthday = g.birthday(p.zone, c.birthdayIn)
	p.signedUp = g.cfg.Now.Add(-c.tenure).Truncate(time.Second)
	c.shape(p)
	log := eventLog{user: p.id}
	for _, a := range c.acts {
		at := g.cfg.Now.Add(-a.ago)
		log.add(a.name, at, a.properties)
		p.lastSeen = at
		switch properties := a.properties.(type) {
		case Order:
			p.orders++
			p.value += properties.Total
		case Item:
			for i := range catalogue {
				if catalogue[i].name == properties.Category && a.name == EventViewed {
					p.views[i]++
				}
			}
			if a.name == EventAdded {
				p.cartValue += properties.Price
			}
		}
	}
	if log.err != nil {
		return Shopper{}, fmt.Errorf("shopper %s: %w", c.id, log.err)
	}
	return Shopper{Profile: g.profile(p), Platform: p.platform, Events: log.events}, nil
}
