package shop

import (
	"math"
	"slices"
	"testing"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/valyala/fastjson"
	"pgregory.net/rapid"
)

// checkTypes holds every member of a JSON object against the declared attributes, dotted below an undeclared one.
func checkTypes(t *rapid.T, schema *profile.Schema, prefix string, object []byte) {
	v, err := fastjson.ParseBytes(object)
	if err != nil {
		t.Fatal(err)
	}
	v.GetObject().Visit(func(name []byte, value *fastjson.Value) {
		path := prefix + string(name)
		attribute, ok := schema.Attribute(path)
		if !ok && len(schema.Nested(path)) > 0 {
			checkTypes(t, schema, path+".", value.MarshalTo(nil))
			return
		}
		if !ok {
			t.Fatalf("attribute %q is not declared", path)
		}
		if err := attribute.Type.CheckJSON(value); err != nil {
			t.Errorf("attribute %q is %s: %v", path, value, err)
		}
	})
}

func checkProperties(t *rapid.T, declared *profile.EventType, object []byte) {
	v, err := fastjson.ParseBytes(object)
	if err != nil {
		t.Fatal(err)
	}
	v.GetObject().Visit(func(name []byte, value *fastjson.Value) {
		property, ok := declared.Property(string(name))
		if !ok {
			t.Fatalf("property %q of %s is not declared", name, declared.Name)
		}
		if err := property.Type.CheckJSON(value); err != nil {
			t.Errorf("property %q of %s is %s: %v", name, declared.Name, value, err)
		}
	})
}

// crowd is what the shares below are counted over.
func crowd(t *testing.T) []Shopper {
	t.Helper()
	const users = 4000
	g := newGenerator(t, testConfig(users))
	all := make([]Shopper, users)
	for i := range all {
		all[i] = shopper(t, g, i)
	}
	return all
}

func TestTheCrowdIsPlausible(t *testing.T) {
	all := crowd(t)
	counts, emails := map[string]int{}, map[string]bool{}
	sizes := make([]int, 0, len(all))
	total, onTheHour, opened, buyers := 0, 0, 0, 0
	for i := range all {
		s := &all[i]
		if emails[s.Profile.Email] {
			t.Errorf("e-mail %s belongs to two shoppers", s.Profile.Email)
		}
		emails[s.Profile.Email] = true
		if s.Profile.Attributes.Orders > 0 {
			buyers++
		}
		sizes = append(sizes, len(s.Events))
		total += len(s.Events)
		for _, e := range s.Events {
			counts[e.Name]++
			if e.Name == EventOpened {
				opened++
				if e.OccurredAt.Minute()%30 < 3 { // on the hour, also in the half-hour zones
					onTheHour++
				}
			}
		}
	}
	between := func(what string, got, low, high float64) {
		t.Helper()
		if got < low || got > high {
			t.Errorf("%s is %.3f, want %v to %v", what, got, low, high)
		}
	}
	between("events a shopper", float64(total)/float64(len(all)), 10, 18)
	between("views that go into the cart", ratio(counts[EventAdded], counts[EventViewed]), 0.15, 0.4)
	between("purchases for each product in a cart", ratio(counts[EventPurchase], counts[EventAdded]), 0.2, 0.6)
	between("shoppers who ever bought", ratio(buyers, len(all)), 0.5, 0.95)
	between("visits that begin within three minutes of a full or half hour", ratio(onTheHour, opened), 0.3, 0.55)
	slices.SortFunc(sizes, func(a, b int) int { return b - a })
	top := 0
	for _, n := range sizes[:len(sizes)/10] {
		top += n
	}
	between("share of the events that the most active tenth has", ratio(top, total), 0.35, 0.7)
}

func ratio(a, b int) float64 { return float64(a) / math.Max(float64(b), 1) }

func TestCountriesHangTogether(t *testing.T) {
	zones, whatsApp, users := map[string]map[string]bool{}, map[string]int{}, map[string]int{}
	for _, s := range crowd(t) {
		code := s.Profile.Attributes.Country
		if zones[code] == nil {
			zones[code] = map[string]bool{}
		}
		zones[code][s.Profile.TimeZone] = true
		users[code]++
		if s.Profile.Consent["whatsapp"] {
			whatsApp[code]++
		}
	}
	for i := range countries {
		c := &countries[i]
		if users[c.code] == 0 {
			t.Errorf("nobody lives in %s", c.code)
		}
		for _, city := range c.cities {
			if _, err := time.LoadLocation(city.zone); err != nil {
				t.Errorf("%s: %v", city.name, err)
			}
		}
		for zone := range zones[c.code] {
			if !slices.ContainsFunc(c.cities, func(in city) bool { return in.zone == zone }) {
				t.Errorf("somebody in %s lives in %s", c.code, zone)
			}
		}
	}
	if india, usa := ratio(whatsApp["IN"], users["IN"]), ratio(whatsApp["US"], users["US"]); india < 2*usa {
		t.Errorf("WhatsApp is as common in the US (%.2f) as in India (%.2f)", usa, india)
	}
}

func TestPromotionsCheck(t *testing.T) {
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	promotions, err := Promotions(testConfig(1).Now)
	if err != nil {
		t.Fatal(err)
	}
	if len(promotions) < 12 {
		t.Errorf("%d promotions are too few to look at", len(promotions))
	}
	campaigns := map[int32]string{}
	for i := range promotions {
		p := &promotions[i]
		if other := campaigns[p.CampaignID]; other != "" || p.CampaignID == 0 {
			t.Errorf("%s and %s share campaign id %d", p.ID, other, p.CampaignID)
		}
		campaigns[p.CampaignID] = p.ID
		for _, issue := range rules.Check(schema, Context(), Placements(), rules.DefaultSettings(), p) {
			if issue.Severity == rules.SeverityError {
				t.Errorf("%s: %+v", p.ID, issue)
			} else if p.ID != "house-banner" { // which is for everybody, and warned about
				t.Errorf("%s: warning %+v", p.ID, issue)
			}
		}
	}
}

func TestSeasonalPromotionsRunNow(t *testing.T) {
	now := testConfig(1).Now
	promotions, err := Promotions(now)
	if err != nil {
		t.Fatal(err)
	}
	scheduled := 0
	for _, p := range promotions {
		if p.Schedule == nil {
			continue
		}
		scheduled++
		if !p.Schedule.Start.Before(now) || !p.Schedule.End.After(now) {
			t.Errorf("%s runs from %v to %v, not at %v", p.ID, p.Schedule.Start, p.Schedule.End, now)
		}
	}
	if scheduled == 0 {
		t.Error("no promotion has a schedule to look at")
	}
}

func TestConfigReportsAllFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		ok   bool
	}{
		{"good", testConfig(1), true},
		{"nobody", testConfig(0), false},
		{"too many", testConfig(MaxUsers + 1), false},
		{"no present", Config{Users: 10}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := New(c.cfg); (err == nil) != c.ok {
				t.Errorf("New gave %v", err)
			}
		})
	}
}
