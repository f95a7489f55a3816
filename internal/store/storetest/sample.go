package storetest

import (
	"context"
	"fmt"
	"testing"

	"eligibility/internal/profile"
)

func testSample(t *testing.T, h Harness) {
	sample := func(k *kit, n int) ([]*profile.Snapshot, int) {
		k.t.Helper()
		users, total, err := k.s.Sample(k.ctx, k.project, n)
		if err != nil {
			k.t.Fatalf("Sample: %v", err)
		}
		return users, total
	}
	fill := func(k *kit, n int) {
		k.t.Helper()
		var updates []profile.Update
		for i := range n {
			updates = append(updates, profile.Update{UserID: fmt.Sprintf("u%03d", i), Attributes: k.attributes(fmt.Sprintf(`{"n":%d}`, i))})
		}
		k.put(updates...)
	}
	each(t, h, map[string]func(*kit){
		"a project without users": func(k *kit) {
			users, total := sample(k, 10)
			equal(k.t, "users", len(users), 0)
			equal(k.t, "total", total, 0)
		},
		"fewer users than asked for are all of them, as a load shows them, at one stamp": func(k *kit) {
			fill(k, 5)
			k.happen(purchase("u001", "x", at(60), 7), purchase("only-events", "y", at(60), 8))
			other := newKit(k.t, h, k.s)
			other.set("stranger", `{"n":1}`)
			users, total := sample(k, 10)
			equal(k.t, "total", total, 5)
			seen := make(map[string]bool)
			for _, u := range users {
				seen[u.Key.User] = true
				equal(k.t, "found, of the project and the stamp", u.Found && u.Key.Project == k.project && u.AsOf == users[0].AsOf, true)
				loaded := k.load(u.Key.User)[0]
				equal(k.t, "n of "+u.Key.User, u.Int(k.slot("n")), loaded.Int(k.slot("n")))
				typ, _ := k.schema.EventType("purchase")
				equal(k.t, "purchases of "+u.Key.User, u.Events(typ.Slot).Len(), loaded.Events(typ.Slot).Len())
			}
			equal(k.t, "different users", len(seen), 5)
		},
		"a write that was acknowledged is in the next sample, an erasure too": func(k *kit) {
			fill(k, 3)
			written := k.set("new", `{"n":9}`)
			users, total := sample(k, 10)
			equal(k.t, "total", total, 4)
			equal(k.t, "stamp not before the write", users[0].AsOf.Before(written), false)
			if _, err := k.s.DeleteUser(k.ctx, k.key("u000")); err != nil {
				k.t.Fatal(err)
			}
			_, total = sample(k, 10)
			equal(k.t, "total after the erasure", total, 3)
		},
		"every user has the same chance": evenChance(fill, sample),
		"an ended context ends it": func(k *kit) {
			fill(k, 3)
			ctx, cancel := context.WithCancel(k.ctx)
			cancel()
			if _, _, err := k.s.Sample(ctx, k.project, 1); err == nil {
				k.t.Error("a sample with an ended context succeeded")
			}
		},
	})
}

// evenChance draws often and holds how often each user came, and each pair of neighbours, against chance. A fair store fails once in many
// millions of runs; one that prefers the first users, or draws runs of neighbours, fails every time.
func evenChance(fill func(*kit, int), sample func(*kit, int) ([]*profile.Snapshot, int)) func(*kit) {
	return func(k *kit) {
		const users, drawn, rounds = 40, 10, 800
		fill(k, users)
		k.happen(purchase("u003", "x", at(60), 1), purchase("u003", "y", at(50), 1), purchase("u003", "z", at(40), 1))
		var came [users]int
		neighbours := 0
		for range rounds {
			got, total := sample(k, drawn)
			equal(k.t, "drawn", len(got), drawn)
			equal(k.t, "total", total, users)
			in := make(map[int64]bool)
			for _, u := range got {
				in[u.Int(k.slot("n"))] = true
			}
			equal(k.t, "different users", len(in), drawn)
			for n := range in {
				came[n]++
				if in[n+1] {
					neighbours++
				}
			}
		}
		const expected = float64(rounds*drawn) / users
		chi := 0.0
		for _, n := range came {
			chi += (float64(n) - expected) * (float64(n) - expected) / (expected * (1 - float64(drawn)/users))
		}
		// With 39 degrees of freedom 110 is passed with a chance below 1e-8.
		if chi > 110 {
			k.t.Errorf("how often each user was drawn: %v, chi-square %.0f", came, chi)
		}
		const pairs = float64(rounds) * (users - 1) * drawn * (drawn - 1) / (users * (users - 1))
		if f := float64(neighbours); f < 0.8*pairs || f > 1.2*pairs {
			k.t.Errorf("neighbours were drawn together %d times, want about %.0f", neighbours, pairs)
		}
	}
}
