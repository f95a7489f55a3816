package server

import (
	"slices"

	"eligibility/internal/precheck"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/strictjson"

	"github.com/valyala/fasthttp"
)

const (
	contentNDJSON    = "application/x-ndjson"
	maxPrecheckUsers = 1000
)

type precheckBody struct {
	Promotion string   `json:"promotion"`
	Channel   string   `json:"channel"`
	UserIDs   []string `json:"userIds"`
	Users     []asked  `json:"users"`
}

// asked is a user with a reservation to be made.
type asked struct {
	UserID  string `json:"userId"`
	Reserve *struct {
		SendID string `json:"sendId"`
		For    string `json:"for"`
	} `json:"reserve"`
}

// ask is the line's question. A time that cannot be read is one that no reservation may last: the line is answered so.
func (a *asked) ask() precheck.Ask {
	out := precheck.Ask{UserID: a.UserID}
	if a.Reserve == nil {
		return out
	}
	out.Reserve = &precheck.Reservation{SendID: a.Reserve.SendID}
	if a.Reserve.For != "" && out.Reserve.For.UnmarshalText([]byte(a.Reserve.For)) != nil {
		out.Reserve.For = -1
	}
	return out
}

// precheck answers POST /v1/precheck. The whole answer is made before its first byte is sent, so that a store that fails
// half way is a clean 503.
func (s *Server) precheck(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body precheckBody
	if err := strictjson.Unmarshal(ctx.PostBody(), &body); err != nil {
		return strictjson.Explain(err)
	}
	rs := s.deps.Rulesets.Load(st.caller.project())
	if rs == nil {
		return noRuleset()
	}
	promotion, p := body.check(rs)
	if p != nil {
		return p
	}
	bounded, cancel := s.bounded()
	defer cancel()
	job := precheck.Job{Ruleset: rs, Promotion: promotion, Channel: body.Channel, Users: s.deps.Users, Book: s.deps.Book, Clock: s.deps.Clock}
	answer := func(line *precheck.Line) error {
		st.out = precheck.AppendLine(st.out, line)
		return nil
	}
	var sum precheck.Summary
	var err error
	if body.Users == nil {
		sum, err = precheck.Run(bounded, &job, body.UserIDs, answer)
	} else {
		asks := make([]precheck.Ask, len(body.Users))
		for i := range body.Users {
			asks[i] = body.Users[i].ask()
		}
		sum, err = precheck.Reserve(bounded, &job, asks, answer)
	}
	if err != nil {
		return s.explain(err)
	}
	st.out = precheck.AppendSummary(st.out, &sum)
	ctx.SetContentType(contentNDJSON)
	st.send(ctx)
	return nil
}

// check finds the promotion. It is nil, without a problem, when this replica has it in quarantine.
func (b *precheckBody) check(rs *rules.Ruleset) (*rules.Compiled, *problem.Problem) {
	switch {
	case b.Promotion == "":
		return nil, problem.New("missing_field", "name the promotion").At("promotion")
	case b.Channel == "":
		return nil, problem.New("missing_field", "name the channel").At("channel")
	case !slices.Contains(profile.Channels, b.Channel):
		return nil, problem.New("invalid_value", "there is no such channel").At("channel")
	case b.UserIDs != nil && b.Users != nil:
		return nil, problem.New("invalid_value", "name the users in userIds, or with reservations in users").At("users")
	case len(b.UserIDs)+len(b.Users) == 0:
		return nil, problem.New("out_of_range", "name at least one user").At("userIds")
	case len(b.Users) > maxPrecheckUsers:
		return nil, problem.New("too_many_users", "at most %d users", maxPrecheckUsers).At("users")
	case len(b.UserIDs) > maxPrecheckUsers:
		return nil, problem.New("too_many_users", "at most %d users", maxPrecheckUsers).At("userIds")
	}
	if promotion, ok := rs.Promotion(b.Promotion); ok {
		return promotion, nil
	}
	if slices.ContainsFunc(rs.Quarantined, func(q rules.Quarantine) bool { return q.Promotion == b.Promotion }) {
		return nil, nil
	}
	return nil, problem.New("promotion_not_found", "no published promotion has this id").At("promotion")
}
