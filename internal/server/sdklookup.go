package server

import (
	"encoding/json"
	"net/url"

	"eligibility/internal/problem"
	"eligibility/internal/profile"

	"github.com/valyala/fasthttp"
)

// sdkUser is a user as backends look one up. The address is there even when it is empty: clients demand a string.
type sdkUser struct {
	Email      string                     `json:"email"`
	UserID     string                     `json:"userId,omitempty"`
	DataFields map[string]json.RawMessage `json:"dataFields"`
}

// sdkLookup answers the calls that read or erase one user. Only a backend may make them.
func (s *Server) sdkLookup(ctx *fasthttp.RequestCtx, st *state, path, query []byte) *problem.Problem {
	w, p := lookedUp(st.call.id, path, query)
	if p != nil {
		return p
	}
	t, p := s.addressee(st, w)
	if p != nil {
		return p
	}
	project := st.caller.project()
	if ctx.IsDelete() {
		return s.sdkErase(ctx, profile.Key{Project: project, User: t.user})
	}
	record := &profile.Record{}
	if t.user != "" {
		if record, p = s.record(project, t.user, 0); p != nil {
			return p
		}
	}
	switch {
	case record.Found:
		return s.reply(ctx, map[string]sdkUser{"user": viewSDKUser(record)})
	case w.UserID == "":
		return sdkBody(ctx, "{}\n")
	}
	return problem.New("user_not_found", "no user has this id")
}

// lookedUp is whom a look-up names.
func lookedUp(id sdkID, path, query []byte) (w who, p *problem.Problem) {
	values, err := url.ParseQuery(string(query))
	if err != nil {
		return w, problem.New("invalid_parameter", "the query is encoded wrongly")
	}
	switch id {
	case sdkUserByEmail:
		w.Email = values.Get("email")
	case sdkUserByID:
		w.UserID = values.Get("userId")
	case sdkOneByEmail:
		w.Email, p = named(path)
	default:
		w.UserID, p = named(path)
	}
	return w, p
}

func viewSDKUser(record *profile.Record) sdkUser {
	u := sdkUser{Email: record.Email, UserID: record.UserID, DataFields: record.Attributes}
	if u.DataFields == nil {
		u.DataFields = make(map[string]json.RawMessage)
	}
	if record.TimeZone != "" {
		u.DataFields["timeZone"], _ = json.Marshal(record.TimeZone) // cannot fail: a string
	}
	return u
}

// sdkErase erases a user. One who is not known is erased already.
func (s *Server) sdkErase(ctx *fasthttp.RequestCtx, key profile.Key) *problem.Problem {
	if key.User != "" {
		if p := s.erase(key); p != nil {
			return p
		}
	}
	return sdkBody(ctx, sdkSuccess)
}
