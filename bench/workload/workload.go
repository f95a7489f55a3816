package workload

import (
	"fmt"
	"math/rand/v2"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// Style is how rules are drawn.
type Style int

// The styles that the package comment describes.
const (
	Shop Style = iota
	Nested
)

// Config says what to draw. The zero value of a field is its default.
type Config struct {
	Seed   uint64
	Style  Style
	Rules  int       // 1,000 when 0
	Users  int       // 256 when 0
	Events int       // of each user; 50 when 0, none when negative
	Now    time.Time // the instant that users' events lie before; 2026-06-18T12:00:00Z when zero
	// Opaque is the share of rules, 0 to 1, with one clause that no index can read: it has to be interpreted.
	Opaque float64
	// Selective gives every rule one clause that about one user in 2,000 passes.
	Selective bool
	// Extra is how many further attributes users have that no rule reads, on top of the 24 that rules do; 16 when 0, none when negative.
	Extra int
}

// Rule is one rule. ID is unique; Priority is its rank, from 1.
type Rule struct {
	ID       string
	Text     string
	Priority int32
}

// Event is something that a user did.
type Event struct {
	Name       string
	At         time.Time
	Properties string // a JSON object
}

// User is one user as a store would have one.
type User struct {
	ID         string
	Attributes string  // a JSON object
	Events     []Event // oldest first
}

// Workload is rules, and users to ask them about. It is not changed after it was made.
type Workload struct {
	Schema *profile.Schema
	Rules  []Rule
	Users  []User
	Now    time.Time
}

// New draws a workload. The rules of a smaller one are the first rules of a larger one of the same seed, and the users of both are the same.
func New(c Config) (*Workload, error) {
	c = c.withDefaults()
	schema, err := newSchema(c.Extra)
	if err != nil {
		return nil, err
	}
	w := &Workload{Schema: schema, Now: c.Now}
	rules := newDraw(c, 1)
	for i := range c.Rules {
		w.Rules = append(w.Rules, Rule{ID: fmt.Sprintf("promo-%06d", i), Text: rules.rule(i), Priority: int32(i + 1)})
	}
	users := newDraw(c, 2)
	for i := range c.Users {
		w.Users = append(w.Users, users.user(i))
	}
	return w, nil
}

func (c Config) withDefaults() Config {
	or := func(n *int, standard int) {
		if *n == 0 {
			*n = standard
		}
		*n = max(*n, 0)
	}
	or(&c.Rules, 1000)
	or(&c.Users, 256)
	or(&c.Events, 50)
	or(&c.Extra, 16)
	if c.Now.IsZero() {
		c.Now = time.Date(2026, 6, 18, 12, 0, 0, 0, time.UTC)
	}
	return c
}

// Snapshot is the user as a server holds one.
func (w *Workload) Snapshot(project string, u *User) *profile.Snapshot {
	var b profile.Builder
	b.Reset(w.Schema, profile.Key{Project: project, User: u.ID}, hlc.Timestamp{Wall: w.Now.UnixNano()})
	b.Found()
	b.Attributes([]byte(u.Attributes))
	for _, e := range u.Events {
		b.Event(e.Name, e.At.UnixNano(), []byte(e.Properties))
	}
	return b.Build()
}

// draw is a seeded source of rules or users.
type draw struct {
	*rand.Rand
	c     Config
	zipfs map[int]*rand.Zipf
	pool  []string // predicates that Nested shares
}

func newDraw(c Config, stream uint64) *draw {
	d := &draw{Rand: rand.New(rand.NewPCG(c.Seed, stream)), c: c, zipfs: make(map[int]*rand.Zipf)}
	if stream == 1 && c.Style == Nested {
		for range nestedPool {
			d.pool = append(d.pool, d.atom())
		}
	}
	return d
}

// zipf is a rank below n, low ones more often.
func (d *draw) zipf(n int) int {
	z := d.zipfs[n]
	if z == nil {
		z = rand.NewZipf(d.Rand, 1.3, 2, uint64(n-1))
		d.zipfs[n] = z
	}
	return int(z.Uint64())
}
