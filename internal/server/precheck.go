package server

import (
	"maps"
	"slices"
	"strconv"

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
	job := precheck.Job{Ruleset: rs, Promotion: promotion, Channel: body.Channel, Users: s.deps.Users, Clock: s.deps.Clock}
	sum, err := precheck.Run(bounded, &job, body.UserIDs, func(line *precheck.Line) error {
		st.out = appendLine(st.out, line)
		return nil
	})
	if err != nil {
		return s.explain(err)
	}
	st.out = appendSummary(st.out, &sum)
	ctx.SetContentType(contentNDJSON)
	ctx.SetBody(st.out)
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
	case len(b.UserIDs) == 0:
		return nil, problem.New("out_of_range", "name at least one user").At("userIds")
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

func appendLine(dst []byte, line *precheck.Line) []byte {
	dst = append(dst, `{"userId":`...)
	dst = appendString(dst, line.UserID)
	if line.Fault != "" {
		dst = append(dst, `,"error":{"code":`...)
		dst = appendString(dst, line.Fault)
		return append(dst, "}}\n"...)
	}
	dst = append(dst, `,"eligible":`...)
	dst = strconv.AppendBool(dst, line.Eligible)
	dst = append(dst, `,"reason":`...)
	dst = appendString(dst, string(line.Reason))
	if line.RetryAt != rules.Forever {
		dst = append(dst, `,"retryAt":`...)
		dst = appendInstant(dst, line.RetryAt)
	}
	return append(dst, "}\n"...)
}

// appendSummary appends the last line, without which an answer was cut.
func appendSummary(dst []byte, sum *precheck.Summary) []byte {
	dst = append(dst, `{"summary":{"total":`...)
	dst = strconv.AppendInt(dst, int64(sum.Total), 10)
	dst = append(dst, `,"eligible":`...)
	dst = strconv.AppendInt(dst, int64(sum.Eligible), 10)
	dst = append(dst, `,"failed":`...)
	dst = strconv.AppendInt(dst, int64(sum.Failed), 10)
	dst = append(dst, `,"reasons":{`...)
	for i, reason := range slices.Sorted(maps.Keys(sum.Reasons)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, string(reason))
		dst = append(dst, ':')
		dst = strconv.AppendInt(dst, int64(sum.Reasons[reason]), 10)
	}
	dst = append(dst, `},"rulesVersion":`...)
	dst = strconv.AppendUint(dst, sum.RulesVersion, 10)
	dst = append(dst, `,"oldestAsOf":`...)
	if sum.OldestAsOf.IsZero() {
		dst = append(dst, "null"...)
	} else {
		dst = append(dst, '"')
		dst = sum.OldestAsOf.AppendText(dst)
		dst = append(dst, '"')
	}
	return append(dst, "}}\n"...)
}
