package storetest

import (
	"fmt"
	"testing"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

func testErasure(t *testing.T, h Harness) {
	erase := func(k *kit, user string) hlc.Timestamp {
		k.t.Helper()
		at, err := k.s.DeleteUser(k.ctx, k.key(user))
		if err != nil {
			k.t.Fatalf("DeleteUser: %v", err)
		}
		return at
	}
	each(t, h, map[string]func(*kit){
		"profile, events, ids and address are gone": func(k *kit) {
			k.email("u", "u@example.com")
			k.set("u", `{"n":1}`)
			when := at(60)
			k.happen(purchase("u", "x", when, 1), purchase("u", "", when, 2))
			at := erase(k, "u")
			s, r := k.load("u")[0], k.read("u")
			if s.Found || r.Found || len(r.Events) != 0 || len(r.Attributes) != 0 || r.Email != "" || s.AsOf.Before(at) {
				k.t.Errorf("after the erasure: %+v %+v", s, r)
			}
			equal(k.t, "holder of the address", k.holder("u@example.com"), "")
			ids, err := k.s.UserIDs(k.ctx, k.project, "", 10)
			equal(k.t, "ids", fmt.Sprint(ids, err), "[] <nil>")
			// A repeat of an erased event is a new one: nothing remembers its time.
			k.happen(profile.NewEvent{UserID: "u", ID: "x", Name: "purchase"})
			equal(k.t, "the erased time is not remembered", k.events("u", "purchase").At(0) == when.UnixNano(), false)
		},
		"the neighbours stay": func(k *kit) {
			for _, user := range []string{"u", "u1", "v", "t"} {
				k.set(user, `{"n":1}`)
				k.happen(purchase(user, "x", at(60), 1))
			}
			erase(k, "u")
			for _, user := range []string{"u1", "v", "t"} {
				equal(k.t, user, k.load(user)[0].Found && k.totals(user) == "1", true)
			}
		},
		"an erased user can come back, empty": func(k *kit) {
			k.set("u", `{"n":1,"city":"Oslo"}`)
			erase(k, "u")
			k.set("u", `{"n":2}`)
			equal(k.t, "attributes", stored(k.t, k.read("u")), `{"n":2}`)
		},
		"a user of whom only events are known is erased": func(k *kit) {
			k.happen(purchase("u", "x", at(60), 1))
			erase(k, "u")
			equal(k.t, "events", len(k.read("u").Events), 0)
		},
		"an unknown user is no error": func(k *kit) {
			if at := erase(k, "nobody"); at.IsZero() {
				k.t.Error("no stamp")
			}
		},
		"the feed carries user and address": func(k *kit) {
			last := k.email("u", "u@example.com")
			feed := k.follow(last)
			at := erase(k, "u")
			feed.waitFor(events.Change{Table: events.TableProfile, Project: k.project, Key: "u"}, at)
			feed.waitFor(events.Change{Table: events.TableEmail, Project: k.project, Key: "u@example.com"}, at)
		},
	})
}
