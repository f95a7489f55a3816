package server

import (
	"encoding/json"

	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/strictjson"

	"github.com/valyala/fasthttp"
)

// sdkBulkBody is a list of one of these.
type sdkBulkBody struct {
	Users         []json.RawMessage `json:"users"`
	Create        bool              `json:"createNewFields"`
	Events        []json.RawMessage `json:"events"`
	Subscriptions []json.RawMessage `json:"updateSubscriptionsRequests"`
}

// bulk is one list on its way to the store: what goes there, and whose items do not.
type bulk struct {
	server  *Server
	st      *state
	rs      *rules.Ruleset
	check   checker
	made    map[string]string // address → the new user of this list
	updates []profile.Update
	events  []profile.NewEvent
	of      []who // of each update or event
	result  bulkResult
}

// sdkBulk answers bulkUpdate, trackBulk and bulkUpdateSubscriptions: what is at fault is named, and the rest is stored.
func (s *Server) sdkBulk(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body sdkBulkBody
	rs, p := s.sdkRead(ctx, st, &body)
	if p != nil {
		return p
	}
	b := bulk{server: s, st: st, rs: rs, check: checker{schema: rs.Schema}, made: make(map[string]string)}
	items, read, name := body.Users, b.user, "users"
	switch st.call.id {
	case sdkBulkEvents:
		items, read, name = body.Events, b.event, "events"
	case sdkBulkSubscriptions:
		items, read, name = body.Subscriptions, b.subscription, "updateSubscriptionsRequests"
	}
	switch {
	case len(items) == 0:
		return problem.New("missing_field", "send at least one item").At(name)
	case len(items) > maxItems:
		return problem.New("too_many_items", "send at most %d items", maxItems).At(name)
	}
	if st.call.id == sdkBulkUsers {
		if p := b.createFields(body.Create, items); p != nil {
			return p
		}
	}
	for _, raw := range items {
		w, p := read(raw)
		if p != nil && p.Status() >= 500 {
			return p // of the store, not of the item
		}
		b.result.note(w, p)
	}
	if p := b.store(); p != nil {
		return p
	}
	return s.reply(ctx, b.result.answer(st.call.id))
}

// createFields lets the users' data fields be declared before the first is held against the schema.
func (b *bulk) createFields(asked bool, items []json.RawMessage) (p *problem.Problem) {
	var all []map[string]json.RawMessage
	for i := range items {
		var item sdkUserBody
		if asked && strictjson.UnmarshalKnown(items[i], &item) == nil {
			all = append(all, item.DataFields)
		}
	}
	b.check.schema, b.result.created, p = b.server.createFields(b.st, b.rs, asked, all...)
	return p
}

// find is addressee for an item of a list, where one new address may stand many times.
func (b *bulk) find(w *who) (user string, email *string, p *problem.Problem) {
	t, p := b.server.addressee(b.st, *w)
	if p != nil {
		return "", nil, p
	}
	if t.user != "" {
		return t.user, t.email, nil
	}
	if user = b.made[*t.email]; user == "" {
		user = newEmailUser()
		b.made[*t.email] = user
	}
	return user, t.email, nil
}

func (b *bulk) user(raw json.RawMessage) (who, *problem.Problem) {
	var item sdkUserBody
	if err := strictjson.UnmarshalKnown(raw, &item); err != nil {
		return item.who, strictjson.Explain(err)
	}
	return item.who, b.update(&item.who, item.DataFields, item.MergeNested)
}

func (b *bulk) subscription(raw json.RawMessage) (who, *problem.Problem) {
	var item sdkSubscriptionsBody
	if err := strictjson.UnmarshalKnown(raw, &item); err != nil {
		return item.who, strictjson.Explain(err)
	}
	fields, p := item.fields()
	if p != nil {
		return item.who, p
	}
	return item.who, b.update(&item.who, fields, false)
}

func (b *bulk) update(w *who, fields map[string]json.RawMessage, merge bool) *problem.Problem {
	user, email, p := b.find(w)
	if p != nil {
		return p
	}
	update, p := b.server.fields(b.st, &b.check, fields)
	if p != nil {
		return p
	}
	if update.UserID = user; merge {
		if p := b.server.mergeNested(b.st.caller.project(), user, &update); p != nil {
			return p
		}
	}
	if email != nil {
		update.Email = email
	}
	b.updates, b.of = append(b.updates, update), append(b.of, *w)
	return nil
}

func (b *bulk) event(raw json.RawMessage) (who, *problem.Problem) {
	var item sdkEventBody
	if err := strictjson.UnmarshalKnown(raw, &item); err != nil {
		return item.who, strictjson.Explain(err)
	}
	event, p := b.server.tracked(b.st, &b.check, &item)
	if p != nil {
		if p.Field == "eventName" {
			b.result.disallowed(item.Name)
		}
		return item.who, p
	}
	var email *string
	if event.UserID, email, p = b.find(&item.who); p != nil {
		return item.who, p
	}
	if email != nil { // the user of an event must be there first
		b.updates = append(b.updates, profile.Update{UserID: event.UserID, Email: email})
	}
	b.events, b.of = append(b.events, event), append(b.of, item.who)
	return item.who, nil
}

// store commits what is left.
func (b *bulk) store() *problem.Problem {
	s, project := b.server, b.st.caller.project()
	_, refused, p := s.storeUsers(project, b.updates, &b.check)
	if p != nil {
		return p
	}
	if b.st.call.id == sdkBulkEvents {
		// A new user's address that went to another meanwhile leaves him without it: his events are stored under an id that nobody will
		// ask for.
		if _, refused, p = s.storeEvents(project, b.events, &b.check); p != nil {
			return p
		}
	}
	for _, e := range refused {
		b.result.refuse(b.of[e.Index], e.Code)
	}
	return nil
}
