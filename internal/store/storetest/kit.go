package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// patience is how long the suite waits for what must come. It is reached by a fault only.
const patience = 20 * time.Second

// kit is one test's store and project, with the calls that must succeed.
type kit struct {
	t       *testing.T
	h       Harness
	s       Store
	ctx     context.Context
	since   hlc.Timestamp // before the project was made: a cursor from which the feed has all of the test
	project string
	schema  *profile.Schema
}

// projectNumber makes project names that no other test of this process uses.
var projectNumber atomic.Int64

// open opens a store for a group of tests.
func open(t *testing.T, h Harness) Store {
	t.Helper()
	s := h.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// newKit makes a project with the suite's schema.
func newKit(t *testing.T, h Harness, s Store) *kit {
	t.Helper()
	k := &kit{t: t, h: h, s: s, ctx: t.Context(), schema: schema(t)}
	k.since = k.now()
	k.project = k.newProject()
	return k
}

func (k *kit) newProject() string {
	k.t.Helper()
	name := fmt.Sprintf("suite-%d-%d", time.Now().UnixNano(), projectNumber.Add(1))
	spec := rules.Spec{Project: name, Schema: k.schema, Settings: rules.Settings{OnStoreDown: rules.FailClosed, TimeZone: "UTC"}}
	entry := audit.Entry{Project: name, Actor: "root", Action: "project.create", Target: name}
	if _, err := k.s.CreateProject(k.ctx, spec, entry); err != nil {
		k.t.Fatalf("create project: %v", err)
	}
	return name
}

// each runs every case in a project of its own.
func each(t *testing.T, h Harness, cases map[string]func(*kit)) {
	t.Helper()
	s := open(t, h)
	for name, run := range cases {
		t.Run(name, func(t *testing.T) { run(newKit(t, h, s)) })
	}
}

// schema has one attribute of each shape that the suite uses, and two event types.
func schema(t *testing.T) *profile.Schema {
	t.Helper()
	s := profile.NewSchema()
	for _, a := range []struct{ name, kind string }{
		{"n", "int"}, {"city", "string"}, {"score", "double"}, {"address.street", "string"}, {"tags", "list<string>"},
	} {
		s = declare(t, s, a.name, a.kind)
	}
	for _, name := range []string{"purchase", "visit"} {
		next, err := s.WithEventType(name, map[string]profile.Type{"total": {Kind: profile.Double}})
		if err != nil {
			t.Fatal(err)
		}
		s = next
	}
	return s
}

func declare(t *testing.T, s *profile.Schema, name, kind string) *profile.Schema {
	t.Helper()
	typ, err := profile.ParseType(kind)
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.WithAttribute(name, typ, false)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func (k *kit) key(user string) profile.Key { return profile.Key{Project: k.project, User: user} }

// attributes makes the attributes of an update from a JSON object.
func (k *kit) attributes(object string) map[string]json.RawMessage {
	k.t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &m); err != nil {
		k.t.Fatal(err)
	}
	return m
}

// put stores updates that must all be accepted.
func (k *kit) put(updates ...profile.Update) hlc.Timestamp {
	k.t.Helper()
	at, refused, err := k.s.PutUsers(k.ctx, k.project, updates)
	if err != nil || len(refused) > 0 {
		k.t.Fatalf("PutUsers: %v, refused %v", err, refused)
	}
	return at
}

// set merges a JSON object into one user's attributes.
func (k *kit) set(user, object string) hlc.Timestamp {
	k.t.Helper()
	return k.put(profile.Update{UserID: user, Attributes: k.attributes(object)})
}

// email gives the user an address.
func (k *kit) email(user, address string) hlc.Timestamp {
	k.t.Helper()
	return k.put(profile.Update{UserID: user, Email: &address})
}

// refused stores updates, and returns the items that were refused as "index:code".
func (k *kit) refused(updates ...profile.Update) string {
	k.t.Helper()
	_, refused, err := k.s.PutUsers(k.ctx, k.project, updates)
	if err != nil {
		k.t.Fatalf("PutUsers: %v", err)
	}
	return codes(refused)
}

func codes(refused []profile.ItemError) string {
	list := make([]string, len(refused))
	for i, r := range refused {
		list[i] = fmt.Sprintf("%d:%s", r.Index, r.Code)
	}
	return strings.Join(list, " ")
}

// happen stores user events that must all be accepted.
func (k *kit) happen(list ...profile.NewEvent) hlc.Timestamp {
	k.t.Helper()
	at, refused, err := k.s.PutEvents(k.ctx, k.project, list)
	if err != nil || len(refused) > 0 {
		k.t.Fatalf("PutEvents: %v, refused %v", err, refused)
	}
	return at
}

// load loads users of the kit's project.
func (k *kit) load(users ...string) []*profile.Snapshot {
	k.t.Helper()
	keys := make([]profile.Key, len(users))
	for i, user := range users {
		keys[i] = k.key(user)
	}
	dst := make([]*profile.Snapshot, len(keys))
	if err := k.s.Load(k.ctx, keys, dst); err != nil {
		k.t.Fatalf("Load: %v", err)
	}
	return dst
}

// read returns the user's stored record with up to 100 events.
func (k *kit) read(user string) *profile.Record {
	k.t.Helper()
	record, err := k.s.ReadUser(k.ctx, k.key(user), 100)
	if err != nil {
		k.t.Fatalf("ReadUser: %v", err)
	}
	return record
}

// stored is the record's attributes as one JSON object with sorted names.
func stored(t *testing.T, r *profile.Record) string {
	t.Helper()
	text, err := json.Marshal(r.Attributes)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (k *kit) holder(address string) string {
	k.t.Helper()
	user, err := k.s.UserByEmail(k.ctx, k.project, address)
	if err != nil {
		k.t.Fatalf("UserByEmail: %v", err)
	}
	return user
}

func (k *kit) now() hlc.Timestamp {
	k.t.Helper()
	at, err := k.s.Now(k.ctx)
	if err != nil {
		k.t.Fatalf("Now: %v", err)
	}
	return at
}

// events returns the times of the user's events of the type, oldest first, as a snapshot has them.
func (k *kit) events(user, eventType string) profile.Events {
	k.t.Helper()
	declared, ok := k.schema.EventType(eventType)
	if !ok {
		k.t.Fatalf("the suite's schema has no event type %q", eventType)
	}
	return k.load(user)[0].Events(declared.Slot)
}

func (k *kit) slot(attribute string) int {
	k.t.Helper()
	declared, ok := k.schema.Attribute(attribute)
	if !ok {
		k.t.Fatalf("the suite's schema has no attribute %q", attribute)
	}
	return declared.Slot
}

func pointer[T any](v T) *T { return &v }

// equal fails the test when got is not want.
func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
