package precheck

import (
	"context"
	"slices"

	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/strictjson"
)

// MaxUsers bounds a request. Longer lists are streams.
const MaxUsers = 1000

// Request asks about a chunk of users, in the form that every surface takes.
type Request struct {
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
func (a *asked) ask() Ask {
	out := Ask{UserID: a.UserID}
	if a.Reserve == nil {
		return out
	}
	out.Reserve = &Reservation{SendID: a.Reserve.SendID}
	if a.Reserve.For != "" && out.Reserve.For.UnmarshalText([]byte(a.Reserve.For)) != nil {
		out.Reserve.For = -1
	}
	return out
}

// ParseRequest reads a request and checks what does not depend on the project.
func ParseRequest(body []byte) (*Request, *problem.Problem) {
	r := new(Request)
	if err := strictjson.Unmarshal(body, r); err != nil {
		return nil, strictjson.Explain(err)
	}
	if p := r.Target(); p != nil {
		return nil, p
	}
	switch {
	case r.UserIDs != nil && r.Users != nil:
		return nil, problem.New("invalid_value", "name the users in userIds, or with reservations in users").At("users")
	case r.size() == 0:
		return nil, problem.New("out_of_range", "name at least one user").At("userIds")
	case len(r.Users) > MaxUsers:
		return nil, problem.New("too_many_users", "at most %d users", MaxUsers).At("users")
	case len(r.UserIDs) > MaxUsers:
		return nil, problem.New("too_many_users", "at most %d users", MaxUsers).At("userIds")
	}
	return r, nil
}

// Target checks what is to be sent and how, whoever is asked about.
func (r *Request) Target() *problem.Problem {
	switch {
	case r.Promotion == "":
		return problem.New("missing_field", "name the promotion").At("promotion")
	case r.Channel == "":
		return problem.New("missing_field", "name the channel").At("channel")
	case !slices.Contains(profile.Channels, r.Channel):
		return problem.New("invalid_value", "there is no such channel").At("channel")
	}
	return nil
}

func (r *Request) size() int { return len(r.UserIDs) + len(r.Users) }

// Find looks the promotion up. It is nil, without a problem, when this replica has it in quarantine.
func (r *Request) Find(rs *rules.Ruleset) (*rules.Compiled, *problem.Problem) {
	if promotion, ok := rs.Promotion(r.Promotion); ok {
		return promotion, nil
	}
	if slices.ContainsFunc(rs.Quarantined, func(q rules.Quarantine) bool { return q.Promotion == r.Promotion }) {
		return nil, nil
	}
	return nil, problem.New("promotion_not_found", "no published promotion has this id").At("promotion")
}

// Append answers the request: a line for each distinct user, or for each one where there may be reservations, and the summary. An error is one of Run; what was appended by then is
// no answer.
func (r *Request) Append(ctx context.Context, dst []byte, job *Job) ([]byte, Summary, error) {
	answer := func(line *Line) error {
		dst = AppendLine(dst, line)
		return nil
	}
	var sum Summary
	var err error
	if r.Users == nil {
		sum, err = Run(ctx, job, r.UserIDs, answer)
	} else {
		asks := make([]Ask, len(r.Users))
		for i := range r.Users {
			asks[i] = r.Users[i].ask()
		}
		sum, err = Reserve(ctx, job, asks, answer)
	}
	if err != nil {
		return dst, sum, err
	}
	return AppendSummary(dst, &sum), sum, nil
}
