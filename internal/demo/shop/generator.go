package shop

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/brianvoe/gofakeit/v7"
)

// Limits and defaults of Config.
const (
	DefaultUsers = 10_000
	MaxUsers     = 5_000_000
	// Days is how far back the history of a shopper reaches; it is within the engine's default retention.
	Days = 30
)

// Config says which shop to make up.
type Config struct {
	Seed  uint64    // the same seed gives the same shop
	Users int       // how many shoppers there are, the named ones included
	Now   time.Time // when the history ends; all times are laid out before it
}

// Validate reports all faults.
func (c *Config) Validate() error {
	var faults []error
	if c.Users < 1 || c.Users > MaxUsers {
		faults = append(faults, fmt.Errorf("users: %d is outside of 1 to %d", c.Users, MaxUsers))
	}
	if c.Now.Before(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) {
		faults = append(faults, errors.New("now: a shop needs a present"))
	}
	return errors.Join(faults...)
}

// Generator makes shoppers. It is not safe for concurrent use: give each goroutine its own, they agree with each other.
type Generator struct {
	cfg   Config
	zones map[string]*time.Location

	source *rand.PCG // reseeded for every shopper, so that the order in which shoppers are asked for does not matter
	rng    *rand.Rand
	faker  *gofakeit.Faker
	visits *rand.Zipf
	cart   []Item // of the shopper who is being made up
}

// New makes a generator. It fails when the configuration is wrong or the machine lacks the time zone database.
func New(cfg Config) (*Generator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	g := &Generator{cfg: cfg, zones: make(map[string]*time.Location), source: rand.NewPCG(cfg.Seed, 0)}
	g.cfg.Now = cfg.Now.UTC().Truncate(time.Millisecond)
	g.rng = rand.New(g.source)
	g.faker = gofakeit.NewFaker(g.source, false)
	// Few visits for most, very many for a few: about 3 on average, at most maxVisits.
	g.visits = rand.NewZipf(g.rng, 2.6, 4, maxVisits)
	for i := range countries {
		for _, c := range countries[i].cities {
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				return nil, fmt.Errorf("load time zone of %s: %w", c.name, err)
			}
			g.zones[c.zone] = zone
		}
	}
	return g, nil
}

// Shopper makes up shopper i, from 0 to Users-1. The first ones are those of Named.
func (g *Generator) Shopper(i int) (Shopper, error) {
	const golden = 0x9e3779b97f4a7c15 // spreads neighbouring indices over the whole state
	g.source.Seed(g.cfg.Seed, (uint64(i)+1)*golden)
	p := g.person(i)
	if i < len(named) {
		return g.named(&named[i], p)
	}
	events, err := g.history(p)
	if err != nil {
		return Shopper{}, fmt.Errorf("shopper %d: %w", i, err)
	}
	return Shopper{Profile: g.profile(p), Platform: p.platform, Events: events}, nil
}

// UserID is the id of shopper i.
func UserID(i int) string {
	if i < len(named) {
		return named[i].id
	}
	return fmt.Sprintf("u%06d", i)
}

// pick draws an index by weight.
func pick[T any](r *rand.Rand, items []T, weight func(*T) float64) int {
	total := 0.0
	for i := range items {
		total += weight(&items[i])
	}
	left := r.Float64() * total
	for i := range items {
		if left -= weight(&items[i]); left < 0 {
			return i
		}
	}
	return len(items) - 1
}

// chance is true with probability p.
func (g *Generator) chance(p float64) bool { return g.rng.Float64() < p }

// between draws a duration from [low, high).
func (g *Generator) between(low, high time.Duration) time.Duration {
	return low + time.Duration(g.rng.Int64N(int64(high-low)))
}

// fill replaces '#' by a digit and '?' by a capital letter.
func (g *Generator) fill(pattern string) string {
	out := []byte(pattern)
	for i, c := range out {
		switch c {
		case '#':
			out[i] = byte('0' + g.rng.IntN(10))
		case '?':
			out[i] = "ABCDEFGHJKLMNPRSTUVWXYZ"[g.rng.IntN(23)]
		}
	}
	return string(out)
}

// cents rounds an amount of money.
func cents(amount float64) float64 { return math.Round(amount*100) / 100 }
