package admin

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/pushhook"
	"eligibility/internal/rules"
)

// Users reads one user's snapshot; the cache is one.
type Users interface {
	Get(ctx context.Context, key profile.Key, d *cache.Demand) (cache.Read, error)
}

// Keyring recognises keys and takes in changed ones; access.Keyring is one.
type Keyring interface {
	Lookup(key []byte) (*access.Entry, bool)
	Reload(ctx context.Context) error
}

// Observer lists undeclared names that were stored; a store is one.
type Observer interface {
	Observations(ctx context.Context, project string) ([]profile.Observed, error)
}

// Fleet knows which replicas run and which ruleset version each has applied; events.Fleet is one.
type Fleet interface {
	// WaitApplied returns when every live replica has applied the version or ctx ends, with how many have of how many.
	WaitApplied(ctx context.Context, project string, version uint64) (applied, live int)
	// Replicas lists what is known, by id.
	Replicas(project string) []events.ReplicaStatus
}

// PushSender posts to the projects' push hooks; pushhook.Sender is one.
type PushSender interface {
	CheckURL(raw string) error // what is wrong with a hook's URL, in words for the caller
	DeadLetters(project string) []pushhook.DeadLetter
}

// Freshness is how current this replica's view of users is.
type Freshness struct {
	Known   bool          // a watermark was received
	Lag     time.Duration // freshness lag; meaningful when Known
	Healthy bool          // the feed makes progress
}

// Deps is what the control plane works with. All are needed but for those that say so.
type Deps struct {
	Authoring *rules.Service
	Live      *rules.Live
	Compiler  *rules.Compiler // for previews; best not the one that applies rulesets, since it keeps its last environment
	Users     Users
	Observer  Observer
	Keyring   Keyring
	Keys      access.Repo
	Sealer    *access.Sealer
	Root      access.RootKey
	Push      PushSender
	Clock     *hlc.Estimate                          // the database's clock
	Fleet     Fleet                                  // nil: this replica is the only one
	Freshness func() Freshness                       // nil: unknown
	Changed   func(project string, at hlc.Timestamp) // nil, or told of each new ruleset version that this replica committed; must not block
	Logger    *slog.Logger
}

func (d *Deps) validate() error {
	if d.Authoring == nil || d.Live == nil || d.Compiler == nil || d.Users == nil || d.Observer == nil || d.Keyring == nil || d.Keys == nil ||
		d.Sealer == nil || d.Push == nil || d.Clock == nil || d.Logger == nil {
		return errors.New("admin: a dependency is missing")
	}
	return nil
}
