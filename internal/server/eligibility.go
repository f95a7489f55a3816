package server

import (
	"context"
	"errors"
	"strings"

	"eligibility/internal/cache"
	"eligibility/internal/engine"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/valyala/fasthttp"
)

// eligibility answers POST /v1/eligibility.
func (s *Server) eligibility(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	st.known = ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch)
	if p := s.answer(st, ctx.PostBody()); p != nil {
		return p
	}
	st.sendTag(ctx, true)
	if st.unchanged {
		return nil
	}
	ctx.SetContentType(contentJSON)
	st.send(ctx)
	return nil
}

// answer fills st.out. It is everything between authentication and the network, and on a cached user it allocates nothing.
func (s *Server) answer(st *state, body []byte) *problem.Problem {
	rs, fresh := s.deps.Rulesets.LoadAt(st.caller.project(), st.came)
	if rs == nil {
		return noRuleset()
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
	key := profile.Key{Project: st.caller.project(), User: user}
	read, p := s.read(st, key)
	if p != nil {
		return p
	}
	if !st.speaksFor(read.Snapshot) {
		return mismatch()
	}
	degraded := s.date(st, rs, &read, fresh)
	st.out = s.decide(st, rs, &read, appendHead(st.out[:0], user), degraded)
	s.watch(st, read.Snapshot)
	return nil
}

// decide appends the placements and stamps of the decision.
func (s *Server) decide(st *state, rs *rules.Ruleset, read *cache.Read, dst []byte, degraded bool) []byte {
	dst = s.place(st, rs, read, dst, formOwn, degraded)
	if st.unchanged {
		return dst
	}
	if st.request.Explain {
		dst = appendRejected(dst, st.decision.Rejected)
	}
	return appendStamps(dst, rs.Version, read.TrueAt, st.until(), degraded)
}

// place appends the placements of the decision, one that was kept beside the snapshot or a new one, unless the asker has them already;
// and notes their tag.
func (s *Server) place(st *state, rs *rules.Ruleset, read *cache.Read, dst []byte, f form, degraded bool) []byte {
	req, d := &st.request, &st.decision
	reuse := read.Memo != nil && !req.Explain
	if reuse {
		st.class = f.appendClass(st.class[:0], rs, req)
		if kept, ok := recall(read.Memo, rs, st.class, req.Now); ok {
			s.stats.reused.Add(1)
			st.tag = tag{text: kept.tag, until: kept.until, set: true}
			if st.unchanged = !degraded && st.has(&kept.tag); st.unchanged {
				return dst
			}
			return kept.append(dst)
		}
	}
	engine.Decide(rs, read.Snapshot, req, d)
	if d.Errors > 0 {
		s.stats.ruleErrors.Add(uint64(d.Errors))
	}
	from := len(dst)
	dst = appendPlacements(dst, f, d.Placements)
	st.tag = tag{text: newTag(dst[from:]), until: d.ValidUntil, set: !req.Explain}
	if reuse {
		remember(read.Memo, rs, st.class, req.Now, d, f, st.tag.text)
	}
	st.unchanged = st.tag.set && !degraded && st.has(&st.tag.text)
	return dst
}

// date takes the instant for which the request is decided, and reports whether the answer is degraded. fresh is of when the request came.
func (s *Server) date(st *state, rs *rules.Ruleset, read *cache.Read, fresh bool) (degraded bool) {
	if st.at.After(st.came) {
		_, fresh = s.deps.Rulesets.LoadAt(rs.Project, st.at)
	}
	st.request.Now = max(s.deps.Clock.At(st.at).Wall, read.Snapshot.AsOf.Wall)
	if degraded = read.Degraded || len(rs.Quarantined) > 0 || !fresh; degraded {
		s.stats.degraded.Add(1)
	}
	return degraded
}

// read reads a user, from the cache if it can.
func (s *Server) read(st *state, key profile.Key) (cache.Read, *problem.Problem) {
	if read, ok := s.deps.Users.HitAt(key, &st.demand, st.at); ok {
		return read, nil
	}
	read, p := s.load(key, &st.demand)
	st.waited()
	return read, p
}

// load reads a user that is not cached. The user's id is copied: the load outlives the request's memory. The project is the credential's, and all
// that is kept of its users shares it.
func (s *Server) load(key profile.Key, demand *cache.Demand) (cache.Read, *problem.Problem) {
	ctx, cancel := context.WithTimeout(s.base, s.cfg.StoreTimeout)
	defer cancel()
	read, err := s.deps.Users.Get(ctx, profile.Key{Project: key.Project, User: strings.Clone(key.User)}, demand)
	if err != nil {
		return cache.Read{}, s.explain(err)
	}
	return read, nil
}

// explain turns an error from behind the plane into what the caller is told. What it does not know is our fault and logged.
func (s *Server) explain(err error) *problem.Problem {
	retry := func(code, detail string) *problem.Problem {
		p := problem.New(code, detail)
		p.RetryAfter = 1
		return p
	}
	var p *problem.Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, cache.ErrAsOfInFuture):
		return problem.New("as_of_in_future", "minAsOf lies ahead of the database's clock").At("minAsOf")
	case errors.Is(err, cache.ErrAsOfNotReached):
		return retry("as_of_not_reached", "the demanded minAsOf could not be read in time")
	case errors.Is(err, cache.ErrOverloaded):
		return retry("overloaded", "too many users are being loaded")
	case errors.Is(err, profile.ErrNotDurable):
		return retry("not_durable", "nothing was stored")
	case errors.Is(err, profile.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return retry("store_unavailable", "the store did not answer")
	}
	s.logger.Error("request failed", "error", err)
	return problem.New(problem.Internal, "")
}

func noRuleset() *problem.Problem {
	p := problem.New("ruleset_unavailable", "the project's ruleset is not loaded here yet")
	p.RetryAfter = 1
	return p
}
