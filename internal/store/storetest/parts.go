package storetest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/profile"
)

func testParts(t *testing.T, h Harness) {
	each(t, h, map[string]func(*kit){
		"a part of a user is what the whole user says of it": sameParts,
		"keys come in any order, twice, and of nobody": func(k *kit) {
			k.set("b", `{"n":2}`)
			k.set("a", `{"n":1}`)
			only := profile.NewProjection(k.schema)
			only.Attribute(k.slot("n"))
			keys := []profile.Key{k.key("b"), k.key("nobody"), k.key("a"), k.key("b"), {Project: "no-such-project", User: "a"}}
			dst := k.parts(only, keys)
			var got []string
			for i, s := range dst {
				if s.Key != keys[i] || s.AsOf != dst[0].AsOf || s.AsOf.IsZero() {
					k.t.Errorf("snapshot %d is of %v at %v, want %v at %v", i, s.Key, s.AsOf, keys[i], dst[0].AsOf)
				}
				if s.State(k.slot("n")) == profile.Present {
					got = append(got, fmt.Sprint(s.Int(k.slot("n"))))
				} else {
					got = append(got, "-")
				}
			}
			equal(k.t, "n", strings.Join(got, " "), "2 - 1 2 -")
		},
		"nothing is read of no keys": func(k *kit) {
			if err := k.s.LoadPart(k.ctx, profile.NewProjection(k.schema), nil, nil); err != nil {
				k.t.Error(err)
			}
		},
		"everything is a part": func(k *kit) {
			k.set("u", `{"n":1,"city":"Oslo"}`)
			only := profile.NewProjection(k.schema)
			only.Everything()
			s := k.parts(only, []profile.Key{k.key("u")})[0]
			if diff := profile.Difference(k.schema, s, k.load("u")[0], 0); diff != "" || s.Partial {
				k.t.Errorf("differs in %s, partial %v", diff, s.Partial)
			}
		},
		"a part of a broken row is broken": func(k *kit) {
			if k.h.WriteRow == nil {
				k.t.Skip("this store has no foreign writers")
			}
			k.email("bad", "bad@example.com")
			deep := strings.Repeat("[", 400) + strings.Repeat("]", 400)
			only := profile.NewProjection(k.schema)
			only.Attribute(k.slot("n"))
			only.Attribute(k.slot("tags"))
			only.Attribute(profile.SlotEmail)
			for _, attributes := range []string{`[1,2]`, `"n"`, `{"n":1,"other":` + deep + `}`, `{"n":1,"tags":` + deep + `}`, `{}`, `{"n":null}`} {
				k.h.WriteRow(k.t, k.s, k.key("bad"), attributes)
				k.samePart(only, "bad")
			}
		},
	})
}

func (k *kit) parts(only *profile.Projection, keys []profile.Key) []*profile.Snapshot {
	k.t.Helper()
	dst := make([]*profile.Snapshot, len(keys))
	if err := k.s.LoadPart(k.ctx, only, keys, dst); err != nil {
		k.t.Fatalf("LoadPart: %v", err)
	}
	return dst
}

// sameParts draws users and parts of them.
func sameParts(k *kit) {
	draw := rand.New(rand.NewPCG(1, 2))
	var users []string
	now := time.Now()
	for i := range 12 {
		user := fmt.Sprintf("u%02d", i*7%12)
		users = append(users, user)
		if i == 0 {
			continue // of whom nothing is known
		}
		attributes := make(map[string]json.RawMessage)
		for name, values := range map[string][]string{
			"n": {"1", `"x"`, "null"}, "city": {`"Oslo"`, `"\u00e9\"\\"`}, "score": {"1.5", "true"}, "tags": {`["a","b"]`, `[]`, `7`},
			"address": {`{"street":"Main","x":1}`, `{}`, `5`}, "address.street": {`"As it is"`}, "a": {`{"b":[1,{"c":"}"}]}`}, "zz": {`"\\\""`},
			"devices": {`[{"token":"t","endpointEnabled":true}]`, `3`}, "nn": {"2"}, "é": {"1"}, "q\"uote": {"1"},
		} {
			if draw.IntN(3) > 0 {
				attributes[name] = json.RawMessage(values[draw.IntN(len(values))])
			}
		}
		update := profile.Update{UserID: user, Attributes: attributes}
		if draw.IntN(2) == 0 {
			zone, address := "UTC", user+"@"+k.project+".example"
			update.TimeZone, update.Email = &zone, &address
			given := draw.IntN(2) == 0
			update.Consent = map[string]*bool{"push": &given, "email": &given}
		}
		if i != 1 { // one who has events alone
			k.put(update)
		}
		var events []profile.NewEvent
		for n := range draw.IntN(12) {
			name := []string{"purchase", "visit", "undeclared", profile.EventImpression, profile.EventSend}[draw.IntN(5)]
			properties := []string{`{"total":2.5}`, `{"promotion":"p","channel":"push","count":2}`, `{"total":"x"}`}[draw.IntN(3)]
			events = append(events, profile.NewEvent{UserID: user, ID: fmt.Sprint(n), Name: name, OccurredAt: now.Add(-time.Duration(draw.IntN(600)) * time.Second), Properties: json.RawMessage(properties)})
		}
		if i == 3 { // more than a snapshot holds
			for n := range profile.MaxEventsPerType + 20 {
				events = append(events, profile.NewEvent{UserID: user, ID: fmt.Sprint("many", n), Name: "visit", OccurredAt: now.Add(-time.Duration(n) * time.Second), Properties: json.RawMessage(`{"total":1}`)})
			}
		}
		if _, refused, err := k.s.PutEvents(k.ctx, k.project, events); err != nil || len(refused) > 0 {
			k.t.Fatalf("PutEvents: %v, refused %v", err, refused)
		}
	}
	for range 40 {
		only := profile.NewProjection(k.schema)
		for slot := range k.schema.Attributes {
			if draw.IntN(4) == 0 {
				only.Attribute(slot)
			}
		}
		for slot := range k.schema.EventTypes {
			switch draw.IntN(6) {
			case 0:
				only.EventTimes(slot)
			case 1:
				only.Events(slot)
			}
		}
		if draw.IntN(2) == 0 {
			only.Devices()
		}
		k.samePart(only, users...)
	}
}

// samePart compares parts of users with what the builder makes of the same parts of whole users.
func (k *kit) samePart(only *profile.Projection, users ...string) {
	k.t.Helper()
	var keys []profile.Key
	for _, user := range users {
		keys = append(keys, k.key(user))
	}
	parts, whole := k.parts(only, keys), k.load(users...)
	for i, part := range parts {
		if !part.Partial || part.Found != whole[i].Found || part.SchemaVersion != whole[i].SchemaVersion {
			k.t.Errorf("%s: partial %v, found %v, schema %d", users[i], part.Partial, part.Found, part.SchemaVersion)
		}
		if diff := only.Difference(k.schema, part, whole[i]); diff != "" {
			k.t.Errorf("%s differs in %s; read are %v, %v", users[i], diff, slices.Clone(only.Members()), only.EventTypes())
		}
	}
}
