package server

import (
	"context"
	"encoding/json"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/problem"
	"eligibility/internal/profile"

	"github.com/valyala/fasthttp"
)

// bounded is the context of one request's wait for the store. It is never the request's own: that one belongs to the connection.
func (s *Server) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.base, s.cfg.StoreTimeout)
}

// announce makes a commit visible at once, here and on other replicas. The feed tells it again and is the truth; this only
// is sooner. The floors here rise before the caller is answered, so that his next request to this replica sees his write
// even without minAsOf.
func (s *Server) announce(changes []events.Change) {
	s.deps.Users.RaiseOwn(changes)
	s.deps.Streams.Apply(changes, hlc.Timestamp{})
	for len(changes) > 0 {
		n := min(len(changes), events.MaxBatchChanges)
		s.deps.Hints.PublishHint(&events.Hint{Changes: changes[:n]})
		changes = changes[n:]
	}
}

// changeSet collects the rows that a commit changed, each once.
type changeSet struct {
	project string
	at      hlc.Timestamp
	changes []events.Change
	seen    map[events.Change]struct{}
}

func (c *changeSet) add(table events.Table, key string) {
	change := events.Change{Table: table, Project: c.project, Key: key, At: c.at}
	if _, ok := c.seen[change]; ok {
		return
	}
	if c.seen == nil {
		c.seen = make(map[events.Change]struct{})
	}
	c.seen[change] = struct{}{}
	c.changes = append(c.changes, change)
}

// observe lists undeclared names after what held them is durable. Failing to list them fails nothing: the next write brings them again.
func (s *Server) observe(ctx context.Context, project string, c *checker) {
	if len(c.observed) == 0 {
		return
	}
	if err := s.deps.Writer.Observe(ctx, project, c.observed); err != nil {
		s.logger.Warn("undeclared names were not listed", "project", project, "error", err)
	}
}

// reply answers 200 with v as JSON.
func (s *Server) reply(ctx *fasthttp.RequestCtx, v any) *problem.Problem {
	body, err := json.Marshal(v)
	if err != nil {
		return s.explain(err)
	}
	ctx.SetContentType(contentJSON)
	ctx.SetBody(append(body, '\n'))
	return nil
}

// stampAnswer is the answer to a write of one thing.
type stampAnswer struct {
	AsOf hlc.Timestamp `json:"asOf"`
}

// checkTime refuses an instant that no event can have.
func (s *Server) checkTime(at time.Time, field string) *problem.Problem {
	switch {
	case at.Before(profile.MinTime):
		return problem.New("out_of_range", "the time lies before 1700").At(field)
	case at.After(s.wall().Add(profile.MaxFuture)):
		return problem.New("future_event", "the time lies more than %v ahead", profile.MaxFuture).At(field)
	}
	return nil
}
