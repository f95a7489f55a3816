package server

import (
	"eligibility/internal/precheck"
	"eligibility/internal/problem"

	"github.com/valyala/fasthttp"
)

const contentNDJSON = "application/x-ndjson"

// precheck answers POST /v1/precheck. The whole answer is made before its first byte is sent, so that a store that fails
// half way is a clean 503.
func (s *Server) precheck(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	request, p := precheck.ParseRequest(ctx.PostBody())
	if p != nil {
		return p
	}
	rs := s.deps.Rulesets.Load(st.caller.project())
	if rs == nil {
		return noRuleset()
	}
	promotion, p := request.Find(rs)
	if p != nil {
		return p
	}
	bounded, cancel := s.bounded()
	defer cancel()
	job := precheck.Job{Ruleset: rs, Promotion: promotion, Channel: request.Channel, Users: s.deps.Users, Book: s.deps.Book, Clock: s.deps.Clock}
	var err error
	if st.out, _, err = request.Append(bounded, st.out, &job); err != nil {
		return s.explain(err)
	}
	ctx.SetContentType(contentNDJSON)
	st.send(ctx)
	return nil
}
