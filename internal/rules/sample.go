package rules

import (
	"context"
	"errors"
	"sync"
	"time"

	"eligibility/internal/profile"
)

// Sampler draws users, so that authors learn what a rule would do before it does it.
type Sampler interface {
	// Sample returns at most n of the project's users that have a profile, each n of them with the same chance and without repetition, all
	// read at one timestamp; total is how many there are, 0 when that is not known. Errors: profile.ErrUnavailable, ctx.Err().
	Sample(ctx context.Context, project string, n int) (users []*profile.Snapshot, total int, err error)
}

// ErrNoSample: the users could not be sampled now, or this service cannot.
var ErrNoSample = errors.New("the users cannot be sampled now")

const (
	// SampleUsers is how many users are drawn: enough to tell 3 % from none, few enough to be read in the blink of an eye.
	SampleUsers = 1000
	// sampleFor is how long a sample is used.
	sampleFor = 30 * time.Second
	// maxSamples bounds the projects whose samples are kept; one takes some megabytes.
	maxSamples = 16
)

// How long a call waits for a sample that is not there yet. Only an estimate cannot do without.
const (
	waitToPublish = 100 * time.Millisecond
	waitToCheck   = 500 * time.Millisecond
)

// sample is some users of a project at one timestamp.
type sample struct {
	users  []*profile.Snapshot
	total  int // of the project; 0: not known
	schema uint64
	taken  time.Time
}

// now is the instant at which the users are asked, in wall nanoseconds.
func (s *sample) now() int64 { return s.users[0].AsOf.Wall }

// samples keeps the newest sample of each project.
type samples struct {
	sampler Sampler
	clock   func() time.Time

	mu       sync.Mutex
	projects map[string]*sampling // guarded by mu; at most maxSamples
}

// sampling is one project's sample. Whoever holds turn draws; others wait for it as long as they like and use what came of it.
type sampling struct {
	turn chan struct{}
	last *sample // guarded by turn
}

func newSamples(sampler Sampler, clock func() time.Time) *samples {
	return &samples{sampler: sampler, clock: clock, projects: make(map[string]*sampling)}
}

// get returns a sample of the project that knows at least this version of its schema, drawing one when the last is old.
func (s *samples) get(ctx context.Context, project string, schema uint64) (*sample, error) {
	if s.sampler == nil {
		return nil, ErrNoSample
	}
	own := s.of(project)
	select {
	case own.turn <- struct{}{}:
		defer func() { <-own.turn }()
	case <-ctx.Done():
		return nil, errors.Join(ErrNoSample, ctx.Err())
	}
	if last := own.last; last != nil && last.schema >= schema && s.clock().Sub(last.taken) < sampleFor {
		return last, nil
	}
	users, total, err := s.sampler.Sample(ctx, project, SampleUsers)
	if err != nil {
		return nil, errors.Join(ErrNoSample, err)
	}
	fresh := &sample{users: users, total: total, schema: schema, taken: s.clock()}
	for _, u := range users {
		fresh.schema = max(fresh.schema, u.SchemaVersion)
	}
	own.last = fresh
	return fresh, nil
}

func (s *samples) of(project string) *sampling {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := s.projects[project]
	if own == nil {
		if len(s.projects) >= maxSamples {
			for other := range s.projects { // any one: it is drawn again when it is asked for
				delete(s.projects, other)
				break
			}
		}
		own = &sampling{turn: make(chan struct{}, 1)}
		s.projects[project] = own
	}
	return own
}

// sampled is a sample for a call that can do without: nil when there is none within wait, or nobody in it.
func (s *Service) sampled(ctx context.Context, f *frame, wait time.Duration) *sample {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	found, err := s.samples.get(ctx, f.project, f.schema.Version)
	if err != nil || len(found.users) == 0 {
		return nil
	}
	return found
}
