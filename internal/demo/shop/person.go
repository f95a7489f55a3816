package shop

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// person is what a shopper is before and beside the thirty days that are told as events.
type person struct {
	index      int
	id         string
	first      string
	last       string
	home       *country
	city       *city
	zone       *time.Location
	age        int
	birthday   time.Time // the next one, at local midnight; today's as long as it is today
	signedUp   time.Time
	platform   string
	version    string
	favourite  int // index into catalogue
	second     int
	visits     int // in the last Days
	buyer      float64
	consent    map[string]bool
	tags       []string
	store      string
	pastOrders int // before the told history
	pastValue  float64

	orders    int
	value     float64
	lastSeen  time.Time
	cartValue float64
	views     []int // by category
}

// person draws the traits of shopper i. They hang together: the country gives time zone, language, currency, phone and the taste for
// WhatsApp; being new means to have no past orders.
func (g *Generator) person(i int) *person {
	r := g.rng
	p := &person{index: i, id: UserID(i), first: g.faker.FirstName(), last: g.faker.LastName(), views: make([]int, len(catalogue))}
	p.home = &countries[pick(r, countries, func(c *country) float64 { return c.weight })]
	p.city = &p.home.cities[r.IntN(len(p.home.cities))]
	p.zone = g.zones[p.city.zone]
	p.age = min(18+int(math.Abs(r.NormFloat64())*14)+r.IntN(12), 90)
	p.birthday = g.birthday(p.zone, r.IntN(365))
	p.platform = "ios"
	if g.chance(p.home.android) {
		p.platform = "android"
	}
	p.version = appVersions[pick(r, appVersions, func(v *struct {
		version string
		weight  float64
	},
	) float64 {
		return v.weight
	})].version
	weight := func(c *category) float64 { return c.weight }
	p.favourite, p.second = pick(r, catalogue, weight), pick(r, catalogue, weight)
	p.visits = int(g.visits.Uint64())
	p.buyer = 0.15 + 0.5*r.Float64()*p.home.spend
	g.past(p)
	g.leanings(p)
	return p
}

// birthday is local midnight of the day that lies days after today.
func (g *Generator) birthday(zone *time.Location, days int) time.Time {
	today := g.cfg.Now.In(zone)
	return time.Date(today.Year(), today.Month(), today.Day()+days, 0, 0, 0, 0, zone).UTC()
}

// past draws when the shopper came and what was bought before the told history begins.
func (g *Generator) past(p *person) {
	const newcomers = 0.14
	if g.chance(newcomers) {
		p.signedUp = g.cfg.Now.Add(-g.between(time.Hour, Days*24*time.Hour)).Truncate(time.Second)
		return
	}
	tenure := g.between(Days*24*time.Hour, 4*365*24*time.Hour)
	p.signedUp = g.cfg.Now.Add(-tenure).Truncate(time.Second)
	perYear := g.rng.ExpFloat64() * 3 * p.home.spend
	p.pastOrders = min(int(perYear*tenure.Hours()/(24*365)), 200)
	for range p.pastOrders {
		p.pastValue += 20 + float64(g.rng.ExpFloat64()*45) // the conversion keeps machines from fusing the two steps: all must agree
	}
}

// leanings draws consent, tags and the store for pick-up.
func (g *Generator) leanings(p *person) {
	p.consent = map[string]bool{"push": g.chance(0.62), "email": g.chance(0.78), "sms": g.chance(0.12), "whatsapp": g.chance(p.home.whatsApp)}
	for _, tag := range []struct {
		name  string
		share float64
	}{{"newsletter", 0.4}, {"gift-buyer", 0.12}, {"price-hunter", 0.22}, {"returns-often", 0.05}, {"app-only", 0.3}} {
		if g.chance(tag.share) {
			p.tags = append(p.tags, tag.name)
		}
	}
	if near := stores[p.home.code]; len(near) > 0 && g.chance(0.35) {
		p.store = near[g.rng.IntN(len(near))]
	}
}

// profile is the person as the shop's back end would have stored it by now.
func (g *Generator) profile(p *person) Profile {
	value := cents(p.pastValue + p.value)
	tags := p.tags
	if tags == nil {
		tags = []string{}
	}
	return Profile{
		UserID: p.id, Email: email(p), TimeZone: p.city.zone, Consent: p.consent,
		Attributes: Attrs{
			FirstName: p.first, LastName: p.last, Country: p.home.code, Language: p.home.language, Currency: p.home.currency, Age: p.age,
			NextBirthday: p.birthday, SignedUpAt: p.signedUp, LastSeenAt: p.seen(), LifetimeValue: value, Orders: p.pastOrders + p.orders,
			VIP: value >= 1500, LoyaltyTier: tier(value), CartValue: cents(p.cartValue), FavouriteCategory: catalogue[p.favourite].name,
			Interests: p.interests(), Tags: tags, PreferredStore: p.store, AppVersion: p.version,
			Address: Address{City: p.city.name, Postcode: g.fill(p.city.postcode)},
		},
	}
}

// seen is when the shopper was last there; who has no told history was there some time between signing up and its beginning.
func (p *person) seen() time.Time {
	if p.lastSeen.IsZero() {
		return p.signedUp
	}
	return p.lastSeen
}

// interests is the share of views by category.
func (p *person) interests() map[string]float64 {
	total := 0
	for _, n := range p.views {
		total += n
	}
	if total == 0 {
		return nil
	}
	shares := make(map[string]float64)
	for i, n := range p.views {
		if n > 0 {
			shares[catalogue[i].name] = cents(float64(n) / float64(total))
		}
	}
	return shares
}

// email is unique by the index. The domains are reserved for examples, so that no message can reach anybody.
func email(p *person) string {
	domains := [...]string{"example.com", "example.org", "example.net"}
	local := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(p.first+p.last))
	return fmt.Sprintf("%s.%d@%s", local, p.index, domains[p.index%len(domains)])
}

func tier(value float64) string {
	switch {
	case value >= 1200:
		return "platinum"
	case value >= 500:
		return "gold"
	case value >= 150:
		return "silver"
	}
	return "bronze"
}
