package server

import (
	"context"
	"log/slog"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/precheck"
	"eligibility/internal/profile"
	"eligibility/internal/reserve"
	"eligibility/internal/rules"
)

// Users is where snapshots come from; the cache is one.
type Users interface {
	Hit(key profile.Key, d *cache.Demand) (cache.Read, bool)
	HitAt(key profile.Key, d *cache.Demand, at time.Time) (cache.Read, bool)
	Get(ctx context.Context, key profile.Key, d *cache.Demand) (cache.Read, error)
	GetMany(ctx context.Context, keys []profile.Key, d *cache.Demand, dst []cache.Read) error
	RaiseOwn(changes []events.Change)
}

// Rulesets is where the ruleset in force comes from; rules.Live is one.
type Rulesets interface {
	Load(project string) *rules.Ruleset // nil while none is loaded
	LoadAt(project string, at time.Time) (rs *rules.Ruleset, fresh bool)
}

// Keys finds the credential of a key, and of a credential's id while its key is in force; access.Keyring is one.
type Keys interface {
	Lookup(key []byte) (*access.Entry, bool)
	ByID(id string) (*access.Entry, bool)
}

// Tokens verifies user tokens; access.Verifier is one.
type Tokens interface {
	Verify(e *access.Entry, token []byte, now time.Time) (access.Subject, error)
}

// Profiles reads stored users; a store is one.
type Profiles interface {
	ReadUser(ctx context.Context, key profile.Key, maxEvents int) (*profile.Record, error)
	UserByEmail(ctx context.Context, project, email string) (string, error)
}

// Watcher notes for whom apps asked lately; pushhook.Watch is one.
type Watcher interface {
	Wants(project string) bool             // whether Seen is worth a call
	Seen(key profile.Key, question []byte) // keeps the key and copies the question; never waits
}

// Fields declares data fields that backends create; rules.Service is one.
type Fields interface {
	CreateFields(ctx context.Context, a rules.Actor, project string, fields map[string]profile.Type) (*profile.Schema, []string, error)
}

// Deps is what the plane works with. All are required but for the Watcher, Fields and Turn.
type Deps struct {
	Users    Users
	Rulesets Rulesets
	Keys     Keys
	Tokens   Tokens
	Writer   profile.Writer
	Book     reserve.Book
	Profiles Profiles
	Hints    events.Hinter
	Streams  Streams
	Tickets  Tickets
	Watcher  Watcher       // nil: nobody is watched
	Fields   Fields        // nil: data fields that nobody declared are observed only
	Turn     precheck.Turn // nil: lists of users wait for nobody
	Clock    *hlc.Estimate // the database's clock
	Logger   *slog.Logger
}
