package server

import (
	"encoding/json"
	"strings"

	"eligibility/internal/access"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/strictjson"

	"github.com/valyala/fasthttp"
)

// sdkUserBody is what an app says about a user.
type sdkUserBody struct {
	who
	DataFields  map[string]json.RawMessage `json:"dataFields"`
	MergeNested bool                       `json:"mergeNestedObjects"`
	Create      bool                       `json:"createNewFields"`
}

// sdkUpdateUser answers POST /api/users/update. A user who is not known becomes so.
func (s *Server) sdkUpdateUser(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body sdkUserBody
	rs, p := s.sdkRead(ctx, st, &body)
	if p != nil {
		return p
	}
	t, p := s.addressee(st, body.who)
	if p != nil {
		return p
	}
	schema, _, p := s.createFields(st, rs, body.Create, body.DataFields)
	if p != nil {
		return p
	}
	return s.sdkWrite(ctx, st, schema, t, body.DataFields, body.MergeNested)
}

// sdkRead decodes a body, under the ruleset in force, and notes where it comes from.
func (s *Server) sdkRead(ctx *fasthttp.RequestCtx, st *state, body any) (*rules.Ruleset, *problem.Problem) {
	rs := s.deps.Rulesets.Load(st.caller.project())
	if rs == nil {
		return nil, noRuleset()
	}
	if err := strictjson.UnmarshalKnown(ctx.PostBody(), body); err != nil {
		return nil, strictjson.Explain(err)
	}
	st.caller.address = s.address(ctx)
	return rs, nil
}

// sdkWrite stores fields of a user and answers.
func (s *Server) sdkWrite(
	ctx *fasthttp.RequestCtx, st *state, schema *profile.Schema, t addressee, fields map[string]json.RawMessage, merge bool,
) *problem.Problem {
	if p := s.sdkStore(st, schema, &t, fields, merge); p != nil {
		return p
	}
	return sdkBody(ctx, sdkSuccess)
}

// sdkStore stores fields of a user, whom it makes when nobody has the address; the addressee then has his id.
func (s *Server) sdkStore(st *state, schema *profile.Schema, t *addressee, fields map[string]json.RawMessage, merge bool) *problem.Problem {
	check := checker{schema: schema}
	update, p := s.fields(st, &check, fields)
	if p != nil {
		return p
	}
	if merge && t.user != "" {
		if p := s.mergeNested(st.caller.project(), t.user, &update); p != nil {
			return p
		}
	}
	user, p := s.ensure(st, *t, update, &check)
	if p == nil {
		t.user, t.email = user, nil
	}
	return p
}

// fields makes a change of a profile from data fields. What says who the user is, is said beside them and passed over here.
func (s *Server) fields(st *state, check *checker, fields map[string]json.RawMessage) (profile.Update, *problem.Problem) {
	body := userBody{Attributes: make(map[string]json.RawMessage, len(fields))}
	for name, raw := range fields {
		switch name {
		case "email", "userId":
		case "timeZone":
			body.TimeZone = raw
		default:
			if st.caller.entry.Kind == access.Client && serverOnly(check.schema, name) {
				return profile.Update{}, problem.New("server_only", "only a backend may write this").At(short(name))
			}
			body.Attributes[name] = raw
		}
	}
	update, p := s.update(check, "", &body)
	if p != nil && p.Code == "wrong_type" && st.caller.entry.Kind == access.Server {
		st.params = clash(p, fields)
	}
	return update, p
}

// serverOnly reports whether the attribute, or one below it, cannot be written by apps.
func serverOnly(schema *profile.Schema, name string) bool {
	if attr, ok := schema.Attribute(name); ok && attr.ServerOnly {
		return true
	}
	for _, slot := range schema.Nested(name) {
		if schema.Attributes[slot].ServerOnly {
			return true
		}
	}
	return false
}

// fieldClash is how an SDK is told about a value of another type than declared.
type fieldClash struct {
	IncomingTypes  []string        `json:"incomingTypes"`
	ExpectedType   string          `json:"expectedType"`
	Category       string          `json:"category"`
	OffendingValue json.RawMessage `json:"offendingValue"`
	Type           string          `json:"_type"`
}

const maxOffendingBytes = 64

func clash(p *problem.Problem, fields map[string]json.RawMessage) []byte {
	path := strings.TrimPrefix(p.Field, "attributes.")
	root, _, _ := strings.Cut(path, ".")
	offending := fields[root]
	kind := jsonType(offending)
	if len(offending) > maxOffendingBytes || root != path {
		offending = nil
	}
	params, err := json.Marshal(map[string]any{"validationErrors": map[string]fieldClash{path: {
		IncomingTypes: []string{kind}, ExpectedType: strings.TrimPrefix(p.Detail, "want "), Category: "user",
		OffendingValue: offending, Type: "UnexpectedType",
	}}})
	if err != nil {
		return nil
	}
	return params
}

func jsonType(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "null"
	}
	switch raw[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// mergeNested joins objects with those that are stored, member by member. Two such calls at one time may lose one of them, as a client
// that reads and writes would.
func (s *Server) mergeNested(project, user string, update *profile.Update) *problem.Problem {
	record, p := s.record(project, user, 0)
	if p != nil {
		return p
	}
	for name, raw := range update.Attributes {
		var stored, given map[string]json.RawMessage
		if json.Unmarshal(record.Attributes[name], &stored) != nil || json.Unmarshal(raw, &given) != nil || stored == nil || given == nil {
			continue // one of them is no object: the new value replaces
		}
		for member, value := range given {
			stored[member] = value
		}
		joined, err := json.Marshal(stored)
		if err != nil {
			return s.explain(err)
		}
		update.Attributes[name] = joined
	}
	return nil
}

// record reads what is stored about a user.
func (s *Server) record(project, user string, events int) (*profile.Record, *problem.Problem) {
	bounded, cancel := s.bounded()
	defer cancel()
	record, err := s.deps.Profiles.ReadUser(bounded, profile.Key{Project: project, User: user}, events)
	if err != nil {
		return nil, s.explain(err)
	}
	return record, nil
}

// sdkUpdateEmail answers POST /api/users/updateEmail. To an app it does not tell that there is no such user, or that the address is
// another's: it succeeds then and changes nothing.
func (s *Server) sdkUpdateEmail(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body struct {
		CurrentEmail  string `json:"currentEmail"`
		CurrentUserID string `json:"currentUserId"`
		NewEmail      string `json:"newEmail"`
	}
	if _, p := s.sdkRead(ctx, st, &body); p != nil {
		return p
	}
	if body.NewEmail == "" {
		return problem.New("missing_field", "name the new address").At("newEmail")
	}
	next := who{Email: body.NewEmail}
	if p := next.check(); p != nil {
		return p.At("newEmail")
	}
	t, p := s.addressee(st, who{Email: body.CurrentEmail, UserID: body.CurrentUserID})
	if p != nil {
		return p
	}
	public := st.caller.entry.Kind == access.Client
	if t.user == "" {
		if public {
			return sdkBody(ctx, sdkSuccess)
		}
		return unknownEmail()
	}
	_, refused, p := s.storeUsers(st.caller.project(), []profile.Update{{UserID: t.user, Email: &next.Email}}, &checker{})
	switch {
	case p != nil:
		return p
	case len(refused) > 0 && (!public || refused[0].Code != "email_taken"):
		return problem.New(refused[0].Code, refused[0].Detail)
	}
	return sdkBody(ctx, sdkSuccess)
}

func unknownEmail() *problem.Problem {
	return problem.New("user_not_found", "no user has this address").At("email")
}
