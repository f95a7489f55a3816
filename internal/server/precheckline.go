package server

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/url"

	"eligibility/internal/precheck"
	"eligibility/internal/problem"
	"eligibility/internal/rules"

	"github.com/valyala/fasthttp"
)

// Bounds of lines that are answered here. fasthttp reads a body whole before anything looks at it, and what is asked here shares its connections with apps: a list
// that has no end belongs on the bulk plane.
const (
	maxPrecheckLines = 10_000
	maxLinesBytes    = 1 << 20
	maxLinesAtOnce   = 4
)

// isLines reports whether the body is a line for each user.
func isLines(h *fasthttp.RequestHeader) bool { return isMedia(h, contentNDJSON) }

// precheckLines answers POST /v1/precheck?promotion=&channel= with a line for each line. The whole answer is made before its first byte is sent, as with one
// document; between slices it lets requests of apps go first.
func (s *Server) precheckLines(ctx *fasthttp.RequestCtx, st *state, query []byte) *problem.Problem {
	request, p := linesQuery(query)
	if p != nil {
		return p
	}
	text := ctx.PostBody()
	if len(text) > maxLinesBytes {
		return problem.New("body_too_large", "lines here may take %d bytes: send longer lists to the bulk plane", maxLinesBytes)
	}
	if n := bytes.Count(text, []byte("\n")); n > maxPrecheckLines || n == maxPrecheckLines && text[len(text)-1] != '\n' {
		return problem.New("too_many_users", "at most %d lines here: send longer lists to the bulk plane", maxPrecheckLines)
	}
	rs := s.deps.Rulesets.Load(st.caller.project())
	if rs == nil {
		return noRuleset()
	}
	promotion, p := request.Find(rs)
	if p != nil {
		return p
	}
	select {
	case s.lines <- struct{}{}:
		defer func() { <-s.lines }()
	default:
		p := problem.New("rate_limited", "%d lists are being answered here: try again, or on another replica", maxLinesAtOnce)
		p.RetryAfter = 1 + rand.IntN(4) // so that those who were refused together do not come back together
		return p
	}
	bounded, cancel := context.WithTimeout(s.base, s.cfg.BulkReadTimeout)
	defer cancel()
	job := precheck.Job{Ruleset: rs, Promotion: promotion, Channel: request.Channel, Users: s.deps.Users, Book: s.deps.Book, Clock: s.deps.Clock, Turn: s.deps.Turn}
	job.Withdrawn = func() rules.Reason { return precheck.Withdrawn(s.deps.Rulesets.Load(rs.Project), request.Promotion) }
	sum, err := precheck.Stream(bounded, &job, bytes.NewReader(text), func(line *precheck.Line) error {
		st.out = precheck.AppendLine(st.out, line)
		return nil
	}, func() error { return nil })
	if err != nil {
		return s.explain(err)
	}
	st.out = precheck.AppendSummary(st.out, &sum)
	ctx.SetContentType(contentNDJSON)
	st.send(ctx)
	return nil
}

// linesQuery reads what is asked of every line.
func linesQuery(query []byte) (request precheck.Request, p *problem.Problem) {
	values, err := url.ParseQuery(string(query))
	if err != nil {
		return request, problem.New("invalid_parameter", "the query is malformed").At("query")
	}
	for name, given := range values {
		switch {
		case len(given) > 1:
			return request, problem.New("invalid_parameter", "send it once").At(name)
		case name == "promotion":
			request.Promotion = given[0]
		case name == "channel":
			request.Channel = given[0]
		default:
			return request, problem.New("invalid_parameter", "lines take promotion and channel").At("query")
		}
	}
	return request, request.Target()
}
