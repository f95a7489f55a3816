package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"eligibility/internal/profile"
)

func testUsers(t *testing.T, h Harness) {
	each(t, h, map[string]func(*kit){
		"an unknown user is an empty snapshot and an empty record": func(k *kit) {
			s, r := k.load("nobody")[0], k.read("nobody")
			if s.Found || s.Broken || s.Key != k.key("nobody") || s.AsOf.IsZero() || s.State(k.slot("n")) != profile.Absent {
				k.t.Errorf("snapshot of an unknown user: %+v", s)
			}
			if r.Found || r.UserID != "nobody" || len(r.Attributes) != 0 || len(r.Events) != 0 || r.AsOf.IsZero() {
				k.t.Errorf("record of an unknown user: %+v", r)
			}
		},
		"an update without attributes makes the user": func(k *kit) {
			k.put(profile.Update{UserID: "u"})
			equal(k.t, "found", k.load("u")[0].Found && k.read("u").Found, true)
		},
		"attributes are merged by top-level name": func(k *kit) {
			k.set("u", `{"n":1,"city":"Oslo","address":{"street":"A","zip":"1"}}`)
			k.set("u", `{"n":2,"address":{"street":"B"}}`)
			equal(k.t, "attributes", stored(k.t, k.read("u")), `{"address":{"street":"B"},"city":"Oslo","n":2}`)
			s := k.load("u")[0]
			equal(k.t, "n", s.Int(k.slot("n")), 2)
			equal(k.t, "city", s.String(k.slot("city")), "Oslo")
			equal(k.t, "address.street", s.String(k.slot("address.street")), "B")
		},
		"null removes an attribute": func(k *kit) {
			k.set("u", `{"n":1,"city":"Oslo"}`)
			k.set("u", `{"n":null,"score":null}`)
			equal(k.t, "attributes", stored(k.t, k.read("u")), `{"city":"Oslo"}`)
			equal(k.t, "state of n", k.load("u")[0].State(k.slot("n")), profile.Absent)
		},
		"updates of one user in one batch apply in order": func(k *kit) {
			k.put(
				profile.Update{UserID: "u", Attributes: k.attributes(`{"n":1,"city":"Oslo"}`)},
				profile.Update{UserID: "v", Attributes: k.attributes(`{"n":7}`)},
				profile.Update{UserID: "u", Attributes: k.attributes(`{"n":2,"city":null}`)},
				profile.Update{UserID: "u", Attributes: k.attributes(`{"city":"Rome"}`)},
			)
			equal(k.t, "u", stored(k.t, k.read("u")), `{"city":"Rome","n":2}`)
			equal(k.t, "v", stored(k.t, k.read("v")), `{"n":7}`)
		},
		"time zone and consent are set, kept and removed": func(k *kit) {
			k.put(profile.Update{
				UserID: "u", TimeZone: pointer("Europe/Oslo"),
				Consent: map[string]*bool{"push": pointer(true), "email": pointer(false), "sms": pointer(true)},
			})
			k.put(profile.Update{UserID: "u", Consent: map[string]*bool{"email": pointer(true), "sms": nil}})
			r, s := k.read("u"), k.load("u")[0]
			equal(k.t, "zone", r.TimeZone, "Europe/Oslo")
			equal(k.t, "consent", fmt.Sprint(r.Consent), "map[email:true push:true]")
			equal(k.t, "zone in the snapshot", s.String(profile.SlotTimeZone), "Europe/Oslo")
			for i, channel := range profile.Channels {
				want := profile.Absent
				if channel == "push" || channel == "email" {
					want = profile.Present
				}
				equal(k.t, "consent to "+channel, s.State(profile.SlotConsent(i)), want)
			}
			k.put(profile.Update{UserID: "u", TimeZone: pointer("")})
			equal(k.t, "zone after its removal", k.load("u")[0].State(profile.SlotTimeZone), profile.Absent)
		},
		"undeclared attributes are kept and there once they are declared": func(k *kit) {
			k.set("u", `{"plan":"gold","shop":{"visits":3}}`)
			k.set("u", `{"n":1}`)
			equal(k.t, "attributes", stored(k.t, k.read("u")), `{"n":1,"plan":"gold","shop":{"visits":3}}`)
			k.schema = declare(k.t, declare(k.t, k.schema, "plan", "string"), "shop.visits", "int")
			k.publishSchema(1)
			s := k.load("u")[0]
			equal(k.t, "schema version", s.SchemaVersion, k.schema.Version)
			equal(k.t, "plan", s.String(k.slot("plan")), "gold")
			equal(k.t, "shop.visits", s.Int(k.slot("shop.visits")), 3)
		},
		"values come back as they were written": func(k *kit) {
			const object = `{"big":123456789012345678901234567890,"nested":{"a":[1,{"b":null}],"c":"ü\u0001\"\\"},"tiny":1e-300}`
			k.set("u", object)
			k.set("u", `{"n":1}`)
			for name, want := range k.attributes(object) {
				equal(k.t, name, canonical(k.t, k.read("u").Attributes[name]), canonical(k.t, want))
			}
		},
		"a profile beyond the limit is refused and stays as it was": func(k *kit) {
			k.set("u", `{"n":1}`)
			long := fmt.Sprintf(`{"long":%q}`, strings.Repeat("x", profile.MaxAttributesBytes))
			half := fmt.Sprintf(`{"half":%q}`, strings.Repeat("x", profile.MaxAttributesBytes*2/3))
			more := fmt.Sprintf(`{"more":%q}`, strings.Repeat("x", profile.MaxAttributesBytes*2/3))
			got := k.refused(
				profile.Update{UserID: "u", Attributes: k.attributes(long)},
				profile.Update{UserID: "v", Attributes: k.attributes(`{"n":2}`)},
				profile.Update{UserID: "w", Attributes: k.attributes(half)},
				profile.Update{UserID: "w", Attributes: k.attributes(more)},
			)
			equal(k.t, "refused", got, "0:profile_too_large 3:profile_too_large")
			equal(k.t, "u", stored(k.t, k.read("u")), `{"n":1}`)
			equal(k.t, "v", stored(k.t, k.read("v")), `{"n":2}`)
			equal(k.t, "w has more", k.read("w").Attributes["more"] != nil, false)
		},
		"a broken row marks its user alone": func(k *kit) {
			if k.h.WriteRow == nil {
				k.t.Skip("this store has no foreign writers")
			}
			k.email("bad", "bad@example.com")
			k.set("good", `{"n":1}`)
			k.h.WriteRow(k.t, k.s, k.key("bad"), `[1,2]`)
			s := k.load("bad", "good")
			if !s[0].Broken || !s[0].Found || s[0].State(k.slot("n")) != profile.Invalid || s[0].State(profile.SlotEmail) != profile.Present {
				k.t.Errorf("snapshot of a broken row: %+v", s[0])
			}
			equal(k.t, "n of the other", s[1].Int(k.slot("n")), 1)
			equal(k.t, "the record is readable", k.read("bad").Found, true)
		},
		"a value of another type than declared is invalid in the snapshot only": func(k *kit) {
			k.set("u", `{"n":"seven","city":"Oslo"}`)
			s := k.load("u")[0]
			equal(k.t, "n", s.State(k.slot("n")), profile.Invalid)
			equal(k.t, "city", s.State(k.slot("city")), profile.Present)
			equal(k.t, "attributes", stored(k.t, k.read("u")), `{"city":"Oslo","n":"seven"}`)
		},
		"user ids are listed in order and in pages": func(k *kit) {
			ids := []string{"a", "a b", "ab", "b", "ä", "日本"}
			for i := len(ids) - 1; i >= 0; i-- {
				k.set(ids[i], `{"n":1}`)
				k.happen(profile.NewEvent{UserID: ids[i], Name: "visit"})
			}
			var got []string
			for after := ""; ; {
				page, err := k.s.UserIDs(k.ctx, k.project, after, 2)
				if err != nil {
					k.t.Fatal(err)
				}
				if got = append(got, page...); len(page) < 2 {
					break
				}
				after = page[1]
			}
			equal(k.t, "ids", fmt.Sprint(got), fmt.Sprint(ids))
			page, err := k.s.UserIDs(k.ctx, k.project, "aa", 1)
			equal(k.t, "after an id that is none", fmt.Sprint(page, err), "[ab] <nil>")
			// Ranges of ids, as audience jobs cut them: whatever the cut is, those up to it and those behind it are all, once and in order.
			for _, cut := range ids {
				var parts []string
				for _, part := range []struct{ after, to string }{{"", cut}, {cut, ""}} {
					page, err := k.s.UserIDs(k.ctx, k.project, part.after, 10)
					if err != nil {
						k.t.Fatal(err)
					}
					for _, id := range page {
						if part.to == "" || id <= part.to {
							parts = append(parts, id)
						}
					}
				}
				equal(k.t, "cut at "+cut, fmt.Sprint(parts), fmt.Sprint(ids))
			}
			sample, total, err := k.s.Sample(k.ctx, k.project, 3)
			if err != nil || total != len(ids) || len(sample) > 3 {
				k.t.Errorf("a sample of %d from %d: %v", len(sample), total, err)
			}
			for _, user := range sample {
				if !slices.Contains(ids, user.Key.User) {
					k.t.Errorf("%q is in the sample and not in the list", user.Key.User)
				}
			}
		},
	})
}
