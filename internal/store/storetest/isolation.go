package storetest

import (
	"fmt"
	"testing"

	"eligibility/internal/profile"
)

func testIsolation(t *testing.T, h Harness) {
	s := open(t, h)
	two := func(t *testing.T) (a, b *kit) { return newKit(t, h, s), newKit(t, h, s) }
	t.Run("the same user id in two projects is two users", func(t *testing.T) {
		a, b := two(t)
		a.set("u", `{"n":1}`)
		b.set("u", `{"n":2}`)
		a.happen(purchase("u", "x", at(60), 1))
		b.happen(purchase("u", "x", at(60), 2))
		equal(t, "a", stored(t, a.read("u"))+a.totals("u"), `{"n":1}1`)
		equal(t, "b", stored(t, b.read("u"))+b.totals("u"), `{"n":2}2`)
		if _, err := a.s.DeleteUser(a.ctx, a.key("u")); err != nil {
			t.Fatal(err)
		}
		equal(t, "b after the erasure in a", b.load("u")[0].Found && b.totals("u") == "2", true)
	})
	t.Run("an address can be held once in each project", func(t *testing.T) {
		a, b := two(t)
		a.email("u", "x@example.com")
		b.email("v", "x@example.com")
		equal(t, "holders", a.holder("x@example.com")+b.holder("x@example.com"), "uv")
	})
	t.Run("lists end with the project", func(t *testing.T) {
		a, b := two(t)
		a.set("u", `{"n":1}`)
		b.set("v", `{"n":1}`)
		for k, want := range map[*kit]string{a: "[u]", b: "[v]"} {
			ids, err := k.s.UserIDs(k.ctx, k.project, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "ids", fmt.Sprint(ids), want)
		}
	})
	t.Run("each project is decoded with its own schema", func(t *testing.T) {
		a, b := two(t)
		a.set("u", `{"plan":"gold"}`)
		b.set("u", `{"plan":"gold"}`)
		a.schema = declare(t, a.schema, "plan", "string")
		a.publishSchema(1)
		keys := []profile.Key{a.key("u"), b.key("u")}
		dst := make([]*profile.Snapshot, 2)
		if err := s.Load(t.Context(), keys, dst); err != nil {
			t.Fatal(err)
		}
		equal(t, "a", dst[0].State(a.slot("plan")), profile.Present)
		equal(t, "b", dst[1].State(a.slot("plan")), profile.Absent)
	})
}
