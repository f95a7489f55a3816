package server

import (
	"encoding/json"

	"eligibility/internal/access"
	"eligibility/internal/events"
	"eligibility/internal/problem"
	"eligibility/internal/profile"

	"github.com/valyala/fasthttp"
)

// maxMergedEvents is how many user events a merge carries over, newest first: what a snapshot would hold of a few types.
const maxMergedEvents = 1000

// sdkMergeBody says which user becomes part of which other.
type sdkMergeBody struct {
	SourceEmail       string       `json:"sourceEmail"`
	SourceUserID      string       `json:"sourceUserId"`
	DestinationEmail  string       `json:"destinationEmail"`
	DestinationUserID string       `json:"destinationUserId"`
	ArrayMerge        []arrayMerge `json:"arrayMerge"`
}

type arrayMerge struct {
	Field    string `json:"field"`
	DedupeBy string `json:"dedupeBy"`
}

// sdkMerge answers POST /api/users/merge: the source's fields and events go to the destination, whose own fields win, and the source is
// erased.
//
// An app merges the visitor it made up into the user who signed in. It may do so only into the user of its token, and only a source
// without an address whose id is one that SDKs make up: any other is somebody. It is not told which of these it was.
func (s *Server) sdkMerge(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body sdkMergeBody
	if _, p := s.sdkRead(ctx, st, &body); p != nil {
		return p
	}
	into, p := s.addressee(st, who{Email: body.DestinationEmail, UserID: body.DestinationUserID})
	if p != nil {
		return p
	}
	from := who{Email: body.SourceEmail, UserID: body.SourceUserID}
	if p := from.check(); p != nil {
		return p
	}
	public, project := st.caller.entry.Kind == access.Client, st.caller.project()
	source := from.UserID
	if source == "" && from.Email != "" {
		if source, p = s.userByEmail(project, from.Email); p != nil {
			return p
		}
	}
	if source == "" && from.Email == "" {
		return problem.New("missing_field", "name the source by sourceEmail or sourceUserId")
	}
	record := &profile.Record{}
	if source != "" {
		if record, p = s.record(project, source, maxMergedEvents); p != nil {
			return p
		}
	}
	switch {
	case source != "" && source == into.user:
		return sdkBody(ctx, sdkSuccess)
	case public && (record.Email != "" || !record.Found || !madeUp(source)):
		return sdkBody(ctx, sdkSuccess)
	case !record.Found && len(record.Events) == 0:
		return problem.New("user_not_found", "there is no such source")
	}
	if p := s.absorb(st, into, record, body.ArrayMerge); p != nil {
		return p
	}
	return sdkBody(ctx, sdkSuccess)
}

// madeUp reports whether an id has the form of those that SDKs give to visitors, random UUIDs (RFC 9562, version 4). Who knows such an id
// is who made it up: nobody guesses one. Any other id can be guessed, and its user would be erased by whoever did.
func madeUp(user string) bool {
	const form = "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx"
	if len(user) != len(form) {
		return false
	}
	for i := range len(form) {
		c := user[i] | 0x20
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		switch form[i] {
		case 'x':
			if !hex {
				return false
			}
		case 'v':
			if c != '8' && c != '9' && c != 'a' && c != 'b' {
				return false
			}
		default:
			if user[i] != form[i] {
				return false
			}
		}
	}
	return true
}

// absorb writes the events first and erases last: whatever fails between, calling again makes it whole, since the events keep their ids.
func (s *Server) absorb(st *state, into addressee, source *profile.Record, arrays []arrayMerge) *problem.Problem {
	project := st.caller.project()
	user, p := s.identified(st, into)
	if p != nil {
		return p
	}
	destination, p := s.record(project, user, 0)
	if p != nil {
		return p
	}
	carried := make([]profile.NewEvent, 0, len(source.Events))
	for i := range source.Events {
		e := &source.Events[i]
		carried = append(carried, profile.NewEvent{
			UserID: user, Name: e.Name, OccurredAt: e.OccurredAt, Properties: e.Properties, ID: replayID("merge", source.UserID, e.ID),
		})
	}
	for len(carried) > 0 {
		n := min(len(carried), maxItems)
		if _, _, p := s.storeEvents(project, carried[:n], &checker{}); p != nil {
			return p
		}
		carried = carried[n:]
	}
	update := profile.Update{UserID: user, Attributes: missing(source.Attributes, destination.Attributes), Consent: map[string]*bool{}}
	joinArrays(update.Attributes, source.Attributes, destination.Attributes, arrays)
	for channel, given := range source.Consent {
		if _, ok := destination.Consent[channel]; !ok {
			update.Consent[channel] = &given
		}
	}
	if source.TimeZone != "" && destination.TimeZone == "" {
		update.TimeZone = &source.TimeZone
	}
	_, refused, p := s.storeUsers(project, []profile.Update{update}, &checker{})
	switch {
	case p != nil:
		return p
	case len(refused) > 0:
		return problem.New(refused[0].Code, refused[0].Detail)
	}
	return s.erase(profile.Key{Project: project, User: source.UserID})
}

// missing is what the destination does not have.
func missing(source, destination map[string]json.RawMessage) map[string]json.RawMessage {
	all := make(map[string]json.RawMessage)
	for name, raw := range source {
		if _, ok := destination[name]; !ok {
			all[name] = raw
		}
	}
	return all
}

// joinArrays appends the source's arrays to the destination's, without those items that are equal or have an equal member.
func joinArrays(into, source, destination map[string]json.RawMessage, fields []arrayMerge) {
	for _, field := range fields {
		var old, more, joined []json.RawMessage
		if json.Unmarshal(destination[field.Field], &old) != nil || json.Unmarshal(source[field.Field], &more) != nil {
			continue
		}
		seen := make(map[string]bool)
		for _, item := range append(old, more...) {
			mark := string(item)
			var object map[string]json.RawMessage
			if field.DedupeBy != "" && json.Unmarshal(item, &object) == nil && object[field.DedupeBy] != nil {
				mark = string(object[field.DedupeBy])
			}
			if !seen[mark] {
				seen[mark], joined = true, append(joined, item)
			}
		}
		if text, err := json.Marshal(joined); err == nil {
			into[field.Field] = text
		}
	}
}

func (s *Server) erase(key profile.Key) *problem.Problem {
	bounded, cancel := s.bounded()
	defer cancel()
	at, err := s.deps.Writer.DeleteUser(bounded, key)
	if err != nil {
		return s.explain(err)
	}
	s.announce([]events.Change{{Table: events.TableProfile, Project: key.Project, Key: key.User, At: at}})
	return nil
}
