package storetest

import (
	"testing"

	"eligibility/internal/profile"
)

func testEmails(t *testing.T, h Harness) {
	update := func(user, address string) profile.Update { return profile.Update{UserID: user, Email: &address} }
	each(t, h, map[string]func(*kit){
		"an address is kept in lower case and found in any": func(k *kit) {
			k.email("u", "Ann@Example.COM")
			equal(k.t, "record", k.read("u").Email, "ann@example.com")
			equal(k.t, "snapshot", k.load("u")[0].String(profile.SlotEmail), "ann@example.com")
			equal(k.t, "holder", k.holder("aNN@example.com"), "u")
			equal(k.t, "holder of another", k.holder("bob@example.com"), "")
		},
		"an address belongs to one user": func(k *kit) {
			k.email("u", "a@example.com")
			got := k.refused(
				profile.Update{UserID: "v", Email: pointer("A@example.com"), Attributes: k.attributes(`{"n":1}`)},
				update("w", "w@example.com"),
				update("u", "a@example.com"),
			)
			equal(k.t, "refused", got, "0:email_taken")
			equal(k.t, "holder", k.holder("a@example.com"), "u")
			equal(k.t, "holder of the accepted", k.holder("w@example.com"), "w")
			equal(k.t, "the refused item changed nothing", k.read("v").Found, false)
		},
		"the first of one batch gets the address": func(k *kit) {
			equal(k.t, "refused", k.refused(update("u", "a@example.com"), update("v", "a@example.com")), "1:email_taken")
			equal(k.t, "holder", k.holder("a@example.com"), "u")
		},
		"a change of address frees the old one": func(k *kit) {
			k.email("u", "old@example.com")
			k.email("u", "new@example.com")
			equal(k.t, "old", k.holder("old@example.com"), "")
			equal(k.t, "new", k.holder("new@example.com"), "u")
			k.email("v", "old@example.com")
			equal(k.t, "old, taken by another", k.holder("old@example.com"), "v")
		},
		"an empty address removes it": func(k *kit) {
			k.email("u", "a@example.com")
			k.email("u", "")
			equal(k.t, "holder", k.holder("a@example.com"), "")
			equal(k.t, "state", k.load("u")[0].State(profile.SlotEmail), profile.Absent)
		},
		"an address moves between users within one batch": func(k *kit) {
			k.email("u", "a@example.com")
			k.put(update("u", "u@example.com"), update("v", "a@example.com"))
			equal(k.t, "moved", k.holder("a@example.com"), "v")
			equal(k.t, "replacement", k.holder("u@example.com"), "u")
			k.put(update("v", ""), update("u", "a@example.com"), update("u", "b@example.com"), update("v", "a@example.com"))
			equal(k.t, "there and back", k.holder("a@example.com")+k.holder("b@example.com")+k.holder("u@example.com"), "vu")
		},
		"updates that bring no address keep it": func(k *kit) {
			k.email("u", "a@example.com")
			k.set("u", `{"n":1}`)
			equal(k.t, "holder", k.holder("a@example.com"), "u")
			equal(k.t, "record", k.read("u").Email, "a@example.com")
		},
	})
}
