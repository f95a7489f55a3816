package precheck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/cache"
	"eligibility/internal/hlc"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/reserve"
	"eligibility/internal/rules"
)

// Rulesets is where the ruleset in force comes from; rules.Live is one.
type Rulesets interface {
	Load(project string) *rules.Ruleset // nil while none is loaded
}

// ServiceDeps is what a service works with. Turn may be nil: nobody else is to be let through.
type ServiceDeps struct {
	Users    Users
	Book     reserve.Book // where sends are reserved
	Rulesets Rulesets
	Keys     access.Keys
	Clock    *hlc.Estimate // the database's clock
	Turn     Turn
	Logger   *slog.Logger
}

// Service answers requests that come as messages, under the limits of bulk work: each slice waits for its turn, users who are not cached are read in batches and stay out of the
// cache. How many requests may wait, and what becomes of those beyond, is for whoever takes them in. It is safe for concurrent use.
type Service struct {
	deps  ServiceDeps
	count struct{ users, eligible atomic.Uint64 }
}

// NewService makes a service. It has nothing to start or to stop.
func NewService(deps ServiceDeps) (*Service, error) {
	if deps.Users == nil || deps.Book == nil || deps.Rulesets == nil || deps.Keys == nil || deps.Clock == nil || deps.Logger == nil {
		return nil, errors.New("precheck: users, book, rulesets, keys, clock and logger are required")
	}
	return &Service{deps: deps}, nil
}

// Project is that of a server key, which is all that says for whom a request is.
func (s *Service) Project(key []byte) (string, *problem.Problem) {
	entry, p := access.ServerKey(s.deps.Keys, key)
	if p != nil {
		return "", p
	}
	return entry.Project, nil
}

// Bounds of what a line and a summary have beside the ids: those are answered as they were sent, or shorter.
const (
	maxLineExtra = 320
	maxSummary   = 4 << 10
)

// Answer is the body that the HTTP call would answer. One that might take more than room bytes is refused before anything is reserved.
func (s *Service) Answer(ctx context.Context, project string, body []byte, room int) ([]byte, *problem.Problem) {
	request, p := ParseRequest(body)
	if p != nil {
		return nil, p
	}
	if most := len(body) + request.size()*maxLineExtra + maxSummary; most > room {
		return nil, problem.New("body_too_large", "the answer may take %d bytes, a message takes %d: ask about fewer users at once", most, room)
	}
	rs := s.deps.Rulesets.Load(project)
	if rs == nil {
		return nil, later("ruleset_unavailable", "the project's ruleset is not loaded here yet")
	}
	promotion, p := request.Find(rs)
	if p != nil {
		return nil, p
	}
	job := Job{
		Ruleset: rs, Promotion: promotion, Channel: request.Channel, Users: s.deps.Users, Book: s.deps.Book, Clock: s.deps.Clock,
		Withdrawn: func() rules.Reason { return Withdrawn(s.deps.Rulesets.Load(project), request.Promotion) },
	}
	if s.deps.Turn != nil {
		job.Turn = s.turn
	}
	answer, sum, err := request.Append(ctx, nil, &job)
	if err != nil {
		return nil, s.explain(err)
	}
	s.count.users.Add(uint64(sum.Total))
	s.count.eligible.Add(uint64(sum.Eligible))
	return answer, nil
}

// errTurn marks a turn that did not come in time.
var errTurn = errors.New("wait for a turn")

func (s *Service) turn(ctx context.Context, work func(time.Duration)) (spent time.Duration, err error) {
	if spent, err = s.deps.Turn(ctx, work); err != nil {
		err = fmt.Errorf("%w: %w", errTurn, err)
	}
	return spent, err
}

// explain turns an error from behind the service into what the caller is told. What it does not know is our fault and logged.
func (s *Service) explain(err error) *problem.Problem {
	switch {
	case errors.Is(err, profile.ErrNotDurable):
		return later("not_durable", "a reservation could not be made durable: ask again with the same ids")
	case errors.Is(err, errTurn):
		return later("overloaded", "other bulk work took all the time")
	case errors.Is(err, cache.ErrOverloaded):
		return later("overloaded", "too many users are being loaded")
	case errors.Is(err, profile.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return later("store_unavailable", "the users could not be read in time")
	}
	s.deps.Logger.Error("pre-check failed", "error", err)
	return problem.New(problem.Internal, "")
}

func later(code, detail string) *problem.Problem {
	p := problem.New(code, detail)
	p.RetryAfter = int(retryAfter / time.Second)
	return p
}

// retryAfter is when a caller who was refused for now may ask again.
const retryAfter = time.Second

// ServiceStats is what a service did.
type ServiceStats struct{ Users, Eligible uint64 }

// Stats reads the counters.
func (s *Service) Stats() ServiceStats {
	return ServiceStats{Users: s.count.users.Load(), Eligible: s.count.eligible.Load()}
}
