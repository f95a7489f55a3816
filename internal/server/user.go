package server

import (
	"encoding/json"
	"slices"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/strictjson"

	"github.com/valyala/fasthttp"
)

// recentEvents is how many user events a profile is read with.
const recentEvents = 100

// userBody is what may be written about a user. Raw members tell null, which removes, from absent, which leaves as it is.
type userBody struct {
	Email      json.RawMessage            `json:"email"`
	TimeZone   json.RawMessage            `json:"timeZone"`
	Attributes map[string]json.RawMessage `json:"attributes"`
	Consent    map[string]*bool           `json:"consent"`
}

// userItem is the same in a list.
type userItem struct {
	UserID string `json:"userId"`
	userBody
}

// user answers GET, PUT and DELETE /v1/users/{userId}.
func (s *Server) user(ctx *fasthttp.RequestCtx, st *state, path []byte) *problem.Problem {
	id, p := segment(path)
	if p != nil {
		return p
	}
	if !profile.ValidUserID(id) {
		return badUserID()
	}
	key := profile.Key{Project: st.caller.project(), User: id}
	switch {
	case ctx.IsGet():
		return s.getUser(ctx, key)
	case ctx.IsDelete():
		return s.deleteUser(ctx, key)
	}
	return s.putUser(ctx, key)
}

func (s *Server) getUser(ctx *fasthttp.RequestCtx, key profile.Key) *problem.Problem {
	bounded, cancel := s.bounded()
	defer cancel()
	record, err := s.deps.Profiles.ReadUser(bounded, key, recentEvents)
	if err != nil {
		return s.explain(err)
	}
	if !record.Found && len(record.Events) == 0 {
		return problem.New("user_not_found", "nothing is stored about this user")
	}
	return s.reply(ctx, record)
}

func (s *Server) deleteUser(ctx *fasthttp.RequestCtx, key profile.Key) *problem.Problem {
	bounded, cancel := s.bounded()
	defer cancel()
	at, err := s.deps.Writer.DeleteUser(bounded, key)
	if err != nil {
		return s.explain(err)
	}
	s.announce([]events.Change{{Table: events.TableProfile, Project: key.Project, Key: key.User, At: at}})
	return s.reply(ctx, stampAnswer{AsOf: at})
}

func (s *Server) putUser(ctx *fasthttp.RequestCtx, key profile.Key) *problem.Problem {
	rs := s.deps.Rulesets.Load(key.Project)
	if rs == nil {
		return noRuleset()
	}
	var body userBody
	if err := strictjson.Unmarshal(ctx.PostBody(), &body); err != nil {
		return strictjson.Explain(err)
	}
	check := checker{schema: rs.Schema}
	update, p := s.update(&check, key.User, &body)
	if p != nil {
		return p
	}
	at, refused, p := s.storeUsers(key.Project, []profile.Update{update}, &check)
	switch {
	case p != nil:
		return p
	case len(refused) > 0:
		return problem.New(refused[0].Code, refused[0].Detail)
	}
	return s.reply(ctx, stampAnswer{AsOf: at})
}

// putUsers answers POST /v1/users:bulk.
func (s *Server) putUsers(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	return putList(s, ctx, st, s.userItem, s.storeUsers)
}

func (s *Server) userItem(check *checker, raw []byte) (profile.Update, *problem.Problem) {
	var item userItem
	if err := strictjson.Unmarshal(raw, &item); err != nil {
		return profile.Update{}, strictjson.Explain(err)
	}
	if !profile.ValidUserID(item.UserID) {
		return profile.Update{}, badUserID()
	}
	return s.update(check, item.UserID, &item.userBody)
}

// update checks a body and makes of it what the store is given.
func (s *Server) update(check *checker, user string, body *userBody) (profile.Update, *problem.Problem) {
	u := profile.Update{UserID: user, Attributes: body.Attributes, Consent: body.Consent}
	var p *problem.Problem
	if u.Email, p = nullable(body.Email, "email"); p != nil {
		return u, p
	}
	if u.Email != nil && *u.Email != "" {
		if *u.Email = lowerEmail(*u.Email); !validEmail(*u.Email) {
			return u, problem.New("invalid_email", "this is not an e-mail address").At("email")
		}
	}
	if u.TimeZone, p = nullable(body.TimeZone, "timeZone"); p != nil {
		return u, p
	}
	if u.TimeZone != nil && *u.TimeZone != "" && !s.zones.valid(*u.TimeZone) {
		return u, problem.New("invalid_value", "want a name of the IANA time zone database, such as Europe/Berlin").At("timeZone")
	}
	for channel := range body.Consent {
		if !slices.Contains(profile.Channels, channel) {
			return u, problem.New("invalid_value", "there is no such channel").At("consent." + short(channel))
		}
	}
	size := 0
	for name, raw := range body.Attributes {
		if size += len(name) + len(raw); size > profile.MaxAttributesBytes {
			return u, problem.New("profile_too_large", "attributes may take %d bytes", profile.MaxAttributesBytes).At("attributes")
		}
		if p := check.attribute(name, raw); p != nil {
			return u, p
		}
	}
	return u, nil
}

// nullable reads a string or null; nil when the member is absent, "" for null.
func nullable(raw json.RawMessage, field string) (*string, *problem.Problem) {
	if len(raw) == 0 {
		return nil, nil
	}
	var text string // stays "" for null
	if json.Unmarshal(raw, &text) != nil {
		return nil, problem.New("wrong_type", "want string or null").At(field)
	}
	return &text, nil
}

// storeUsers commits the updates and announces them.
func (s *Server) storeUsers(project string, updates []profile.Update, check *checker) (
	at hlc.Timestamp, refused []profile.ItemError, p *problem.Problem,
) {
	if len(updates) == 0 {
		return s.deps.Clock.Now(), nil, nil
	}
	bounded, cancel := s.bounded()
	defer cancel()
	at, refused, err := s.deps.Writer.PutUsers(bounded, project, updates)
	if err != nil {
		return at, nil, s.explain(err)
	}
	set := changeSet{project: project, at: at}
	for i := range updates {
		set.add(events.TableProfile, updates[i].UserID)
		if email := updates[i].Email; email != nil && *email != "" {
			set.add(events.TableEmail, *email)
		}
	}
	s.announce(set.changes)
	s.observe(bounded, project, check)
	return at, refused, nil
}
