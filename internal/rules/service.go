package rules

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash/maphash"
	"sync"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// Limits of a project's authored state.
const (
	MaxPromotions    = 20_000 // not retired
	MaxContextFields = 100
	MaxPlacements    = 1000
	MaxCommentRunes  = 1000
)

// Actor is who asks for a change and from where; it goes into the audit entry.
type Actor struct {
	ID         string // of the credential; "root" for the root key
	RemoteAddr string
	RequestID  string
	Once       *Once // nil: a repetition of the request is another change
}

// ServiceConfig is what an authoring service can be told. Zero fields mean the defaults named there.
type ServiceConfig struct {
	Retention     time.Duration    // how long user events are kept: the bound of windows and caps; profile.DefaultRetention
	MaxPromotions int              // of one project, retired ones left out; MaxPromotions
	Now           func() time.Time // stamps of revisions and heads; time.Now
	Sampler       Sampler          // nil: no estimates, and no findings from what users hold
}

// Service is the authoring life cycle: the one place that says what may become of a promotion, its revisions, the schema and the
// settings of a project. Every accepted change is one durable compare-and-set commit that carries its audit entry. Safe for concurrent use;
// several replicas may author at once, the store decides.
type Service struct {
	repo Repo
	cfg  ServiceConfig

	// turns lets changes of one project go one after the other within this process, so that a burst of them does not wear out the retries of
	// the compare-and-set. Projects share a turn by hash.
	turns [64]chan struct{}
	seed  maphash.Seed

	samples *samples

	mu     sync.Mutex
	frames map[string]*frame  // guarded by mu; at most maxFrames
	census map[string]*census // guarded by mu; at most maxFrames
}

// NewService makes a service over the repo.
func NewService(repo Repo, cfg ServiceConfig) *Service {
	if cfg.Retention <= 0 {
		cfg.Retention = profile.DefaultRetention
	}
	if cfg.MaxPromotions <= 0 {
		cfg.MaxPromotions = MaxPromotions
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{repo: repo, cfg: cfg, seed: maphash.MakeSeed(), frames: make(map[string]*frame), census: make(map[string]*census)}
	s.samples = newSamples(cfg.Sampler, cfg.Now)
	for i := range s.turns {
		s.turns[i] = make(chan struct{}, 1)
	}
	return s
}

// Applied is what an accepted change came to.
type Applied struct {
	Version uint64        // the project's ruleset version in which it is in force
	At      hlc.Timestamp // the commit's time; zero when nothing had to change
	Changed bool          // false: what was asked for was so already, and nothing was written
	Head    *Head         // of the promotion, when it is about one

	Revision *Revision // that was written, if one was
	Issues   []Issue   // warnings about what was put into force
	Radius   *Estimate // whom what was put into force reaches; nil when users could not be sampled in time
}

// turn waits until this caller may change the project and returns the function that ends its turn.
func (s *Service) turn(ctx context.Context, project string) (end func(), err error) {
	turn := s.turns[maphash.String(s.seed, project)%uint64(len(s.turns))]
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// now is the time of a change, in UTC and without the monotonic part so that it survives storage unchanged.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Round(0) }

// entry begins the audit entry of a change from before to after; nil stands for nothing.
func entry(a Actor, project, action, target string, before, after any) audit.Entry {
	return audit.Entry{
		Project: project, Actor: a.ID, RemoteAddr: a.RemoteAddr, RequestID: a.RequestID, Action: action, Target: target,
		Before: digest(before), After: digest(after),
	}
}

// digest is the SHA-256 of v as JSON, "" for nil.
func digest(v any) string {
	if v == nil {
		return ""
	}
	encoded, err := json.Marshal(v)
	if err != nil { // a payload that is not JSON; such a document is never stored
		return ""
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}
