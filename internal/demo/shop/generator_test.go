package shop

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"eligibility/internal/profile"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func testConfig(users int) Config {
	return Config{Seed: 1, Users: users, Now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
}

func newGenerator(t testing.TB, cfg Config) *Generator {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func shopper(t testing.TB, g *Generator, i int) Shopper {
	t.Helper()
	s, err := g.Shopper(i)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func TestShoppersAreTheSameEveryTime(t *testing.T) {
	g := newGenerator(t, testConfig(1000))
	var got bytes.Buffer
	for _, i := range []int{0, 1, 7, 8, 9, 10, 999} {
		s := shopper(t, g, i)
		got.Write(encode(t, s.Profile))
		for _, e := range s.Events {
			got.Write(encode(t, e))
		}
	}
	golden := filepath.Join("testdata", "shoppers.golden.ndjson")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the shoppers of seed 1 differ from %s: the same seed must give the same shop in every version (-update rewrites it)", golden)
	}
}

func TestOrderOfAskingDoesNotMatter(t *testing.T) {
	const users = 200
	forward, backward := newGenerator(t, testConfig(users)), newGenerator(t, testConfig(users))
	want := make([][]byte, users)
	for i := range users {
		want[i] = encode(t, shopper(t, forward, i))
	}
	for i := users - 1; i >= 0; i-- {
		if got := encode(t, shopper(t, backward, i)); !bytes.Equal(got, want[i]) {
			t.Fatalf("shopper %d depends on who was asked for before:\n%s\n%s", i, got, want[i])
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	cfg := testConfig(50)
	one := newGenerator(t, cfg)
	cfg.Seed = 2
	two := newGenerator(t, cfg)
	same := 0
	for i := len(named); i < 50; i++ {
		if bytes.Equal(encode(t, shopper(t, one, i)), encode(t, shopper(t, two, i))) {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d of %d shoppers are the same under seeds 1 and 2", same, 50-len(named))
	}
}

// Whatever the seed, the index and the present: everything that is made up could have been stored.
func TestEveryShopperIsValid(t *testing.T) {
	schema, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			Seed: rapid.Uint64().Draw(t, "seed"), Users: MaxUsers,
			Now: time.Unix(rapid.Int64Range(1_000_000_000, 4_000_000_000).Draw(t, "now"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")),
		}
		i := rapid.IntRange(0, MaxUsers-1).Draw(t, "index")
		g, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s, err := g.Shopper(i)
		if err != nil {
			t.Fatal(err)
		}
		checkProfile(t, schema, &s.Profile, cfg.Now)
		checkEvents(t, schema, &s, cfg.Now)
	})
}

func checkProfile(t *rapid.T, schema *profile.Schema, p *Profile, now time.Time) {
	if !profile.ValidUserID(p.UserID) {
		t.Errorf("user id %q is malformed", p.UserID)
	}
	for channel := range p.Consent {
		if !slices.Contains(profile.Channels, channel) {
			t.Errorf("consent to unknown channel %q", channel)
		}
	}
	zone, err := time.LoadLocation(p.TimeZone)
	if err != nil {
		t.Fatalf("time zone: %v", err)
	}
	encoded, err := json.Marshal(p.Attributes)
	if err != nil {
		t.Fatal(err)
	}
	checkTypes(t, schema, "", encoded)
	a := &p.Attributes
	if a.SignedUpAt.After(now) || a.LastSeenAt.After(now) || a.LastSeenAt.Before(a.SignedUpAt) {
		t.Errorf("signed up at %v, seen at %v: not in the order of time before %v", a.SignedUpAt, a.LastSeenAt, now)
	}
	// 01:00 where midnight does not exist, and days that are an hour longer
	if birthday := a.NextBirthday.In(zone); birthday.Hour() > 1 || birthday.Add(25*time.Hour).Before(now) {
		t.Errorf("next birthday %v is no midnight or long past", birthday)
	}
	if a.Orders == 0 && a.LifetimeValue != 0 || a.Orders > 0 && a.LifetimeValue <= 0 || a.LoyaltyTier != tier(a.LifetimeValue) {
		t.Errorf("%d orders, worth %v, make %q", a.Orders, a.LifetimeValue, a.LoyaltyTier)
	}
}

func checkEvents(t *rapid.T, schema *profile.Schema, s *Shopper, now time.Time) {
	counts := map[string]int{}
	last := time.Time{}
	for i, e := range s.Events {
		declared, ok := schema.EventType(e.Name)
		if !ok {
			t.Fatalf("event type %q is not declared", e.Name)
		}
		checkProperties(t, declared, e.Properties)
		if e.UserID != s.Profile.UserID || e.ID == "" {
			t.Errorf("event %d is %+v", i, e)
		}
		if e.OccurredAt.Before(last) || e.OccurredAt.After(now) || e.OccurredAt.Before(now.Add(-(Days+1)*24*time.Hour)) {
			t.Errorf("event %d at %v comes after one at %v, now being %v", i, e.OccurredAt, last, now)
		}
		last = e.OccurredAt
		counts[e.Name]++
	}
	if len(s.Events) > 0 && !s.Profile.Attributes.LastSeenAt.Equal(last) {
		t.Errorf("last seen at %v, last event at %v", s.Profile.Attributes.LastSeenAt, last)
	}
	for name, n := range counts {
		if n > profile.MaxEventsPerType {
			t.Errorf("%d events of type %s are more than a snapshot holds", n, name)
		}
	}
	if s.Profile.UserID[0] == 'u' && (counts[EventPurchase] > counts[EventAdded] || counts[EventRemoved] > counts[EventAdded] ||
		counts[EventAdded] > counts[EventViewed] || counts[EventViewed] > 0 && counts[EventOpened] == 0) {
		t.Errorf("the funnel widens: %v", counts)
	}
}

func BenchmarkShopper(b *testing.B) {
	g := newGenerator(b, testConfig(MaxUsers))
	events := 0
	for i := 0; b.Loop(); i++ {
		events += len(shopper(b, g, i).Events)
	}
	b.ReportMetric(float64(events)/float64(b.N), "events/op")
}
