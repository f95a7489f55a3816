package server

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/cache"
	"eligibility/internal/engine"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/stream"

	"github.com/cespare/xxhash/v2"
	"github.com/valyala/fasthttp"
)

// Streams keeps the clients that wait; stream.Hub is one.
type Streams interface {
	Subscribe(subject stream.Subject, since uint64) (*stream.Subscription, error)
	Apply(changes []events.Change, watermark hlc.Timestamp)
}

// Tickets gives out and takes what opens a stream; access.Tickets is one.
type Tickets interface {
	Issue(e *access.Entry, ticket access.Ticket, now time.Time) string
	Take(text string, now time.Time) (*access.Entry, access.Ticket, error)
}

// maxQuestionBytes bounds what a ticket carries: it travels in an address.
const maxQuestionBytes = 2 << 10

// tokenAnswer is the answer of POST /v1/stream-tokens.
type tokenAnswer struct {
	Token     string `json:"token"`
	URL       string `json:"url"`
	ExpiresIn int    `json:"expiresIn"` // seconds
}

// streamToken answers POST /v1/stream-tokens. Its body is that of an eligibility request: what the stream watches is the answer to it.
func (s *Server) streamToken(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	rs := s.deps.Rulesets.Load(st.caller.project())
	if rs == nil {
		return noRuleset()
	}
	body := ctx.PostBody()
	if len(body) > maxQuestionBytes {
		return problem.New("body_too_large", "what a stream asks for may take %d bytes", maxQuestionBytes)
	}
	if p := st.asked.Parse(body); p != nil {
		return p
	}
	if p := st.question(rs); p != nil {
		return p
	}
	user, p := s.whom(st)
	if p != nil {
		return p
	}
	if st.caller.subject.Email != "" && st.asked.HasUser {
		key := profile.Key{Project: st.caller.project(), User: user}
		read, ok := s.deps.Users.Hit(key, &st.demand)
		if !ok {
			if read, p = s.load(key, &st.demand); p != nil {
				return p
			}
		}
		if !st.speaksFor(read.Snapshot) {
			return mismatch()
		}
	}
	token := s.deps.Tickets.Issue(st.caller.entry, access.Ticket{User: user, Question: bytes.Clone(body)}, s.wall())
	return s.reply(ctx, tokenAnswer{Token: token, URL: routePaths[RouteStream] + "?token=" + token, ExpiresIn: int(access.TicketLife.Seconds())})
}

// openStream answers GET /v1/stream?token=. A browser's EventSource can send no headers, so that the token in the address is all there is to go by.
func (s *Server) openStream(ctx *fasthttp.RequestCtx, st *state, query []byte) *problem.Problem {
	token, ok := bytes.CutPrefix(query, []byte("token="))
	if !ok || bytes.IndexByte(token, '&') >= 0 {
		return problem.New("invalid_parameter", "this call takes the query parameter token, and no other").At("token")
	}
	entry, ticket, err := s.deps.Tickets.Take(string(token), s.wall())
	if err != nil {
		return problem.New("invalid_token", "%v: ask POST /v1/stream-tokens for another", err).At("token")
	}
	if entry.Suspended {
		return problem.New("key_suspended", "an administrator has suspended the key")
	}
	st.caller.entry = entry
	if p := st.admit(ctx); p != nil {
		return p
	}
	since, _ := strconv.ParseUint(string(ctx.Request.Header.Peek("Last-Event-ID")), 16, 64) // anything else is a client that knows nothing
	subject := stream.Subject{
		Key: profile.Key{Project: entry.Project, User: ticket.User}, Credential: entry.ID, Question: ticket.Question,
	}
	if s.draining.Load() {
		return s.noStream(stream.ErrStopped)
	}
	subscription, err := s.deps.Streams.Subscribe(subject, since)
	if err != nil {
		return s.noStream(err)
	}
	s.hijack(ctx, st, subscription)
	return nil
}

func (s *Server) noStream(err error) *problem.Problem {
	p := problem.New("overloaded", "%v: go on asking with POST /v1/eligibility", err)
	p.RetryAfter = int(streamRetry.Seconds())
	return p
}

var errNoRuleset = errors.New("the project's ruleset is not loaded here yet")

// Ask computes the answer that a stream watches, as a request would be answered now.
func (s *Server) Ask(ctx context.Context, subject *stream.Subject) (stream.Outlook, error) {
	rs := s.deps.Rulesets.Load(subject.Key.Project)
	if rs == nil {
		return stream.Outlook{}, errNoRuleset
	}
	st := s.acquire()
	defer s.release(st)
	st.caller.entry = &access.Entry{Project: subject.Key.Project, Kind: access.Server} // the ticket was checked when it was given out
	if p := st.asked.Parse(subject.Question); p != nil {
		return stream.Outlook{}, p
	}
	if p := st.question(rs); p != nil {
		return stream.Outlook{}, p
	}
	st.demand.MinAsOf, st.request.Explain = hlc.Timestamp{}, false
	read, hit := s.deps.Users.Hit(subject.Key, &st.demand)
	if !hit {
		var err error
		if read, err = s.deps.Users.Get(ctx, subject.Key, &st.demand); err != nil {
			return stream.Outlook{}, err
		}
	}
	return s.outlook(st, rs, &read), nil
}

func (s *Server) outlook(st *state, rs *rules.Ruleset, read *cache.Read) stream.Outlook {
	st.request.Now = max(s.deps.Clock.Now().Wall, read.Snapshot.AsOf.Wall)
	engine.Decide(rs, read.Snapshot, &st.request, &st.decision)
	until := st.decision.ValidUntil
	st.out = appendPlacements(st.out[:0], formOwn, st.decision.Placements)
	st.out, until = appendProofs(st.out, rs.ProofsFor(read.Snapshot.Key.User, st.request.Now), until)
	o := stream.Outlook{Digest: xxhash.Sum64(st.out), Turns: stream.Never, Edge: until}
	if o.Digest == 0 {
		o.Digest = 1 // 0 stands for a client that knows nothing
	}
	if until != rules.Forever {
		o.Turns = time.Duration(until - st.request.Now)
	}
	return o
}
