package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

func testLoad(t *testing.T, h Harness) {
	each(t, h, map[string]func(*kit){
		"all keys of one load are read at one stamp": func(k *kit) {
			other := k.newProject()
			keys := []profile.Key{k.key("a"), {Project: other, User: "a"}, k.key("b"), k.key("a"), {Project: "no-such-project", User: "a"}}
			dst := make([]*profile.Snapshot, len(keys))
			if err := k.s.Load(k.ctx, keys, dst); err != nil {
				k.t.Fatal(err)
			}
			for i, s := range dst {
				if s.Key != keys[i] || s.AsOf != dst[0].AsOf || s.AsOf.IsZero() {
					k.t.Errorf("snapshot %d is of %v at %v, want %v at %v", i, s.Key, s.AsOf, keys[i], dst[0].AsOf)
				}
			}
		},
		"a load after an acknowledged write sees it, at a stamp not before it": func(k *kit) {
			for n := range 20 {
				written := k.set("u", fmt.Sprintf(`{"n":%d}`, n))
				s := k.load("u")[0]
				if s.Int(k.slot("n")) != int64(n) || s.AsOf.Before(written) {
					k.t.Fatalf("write %d at %v: a load at %v shows %d", n, written, s.AsOf, s.Int(k.slot("n")))
				}
			}
		},
		"a read is never torn and shows exactly the commits up to its stamp": tornReads,
		"an ended context ends the load": func(k *kit) {
			ctx, cancel := context.WithCancel(k.ctx)
			cancel()
			if err := k.s.Load(ctx, []profile.Key{k.key("u")}, make([]*profile.Snapshot, 1)); err == nil {
				k.t.Error("a load with an ended context succeeded")
			}
		},
		"no keys are no error": func(k *kit) {
			if err := k.s.Load(k.ctx, nil, nil); err != nil {
				k.t.Error(err)
			}
		},
	})
}

// tornReads writes the same number to two users and an event to the first, commit after commit, while others load both; afterwards the
// feed tells the stamp of every commit.
func tornReads(k *kit) {
	const commits, readers = 150, 3
	type seen struct {
		at   hlc.Timestamp
		n, m int64
	}
	feed := k.follow(k.since)
	k.put(profile.Update{UserID: "a", Attributes: k.attributes(`{"n":0}`)}, profile.Update{UserID: "b", Attributes: k.attributes(`{"n":0}`)})
	done := make(chan struct{})
	reads := make([][]seen, readers)
	var group sync.WaitGroup
	for r := range readers {
		group.Go(func() {
			dst := make([]*profile.Snapshot, 2)
			for {
				if err := k.s.Load(k.ctx, []profile.Key{k.key("a"), k.key("b")}, dst); err != nil {
					k.t.Errorf("Load: %v", err)
					return
				}
				slot := k.slot("n")
				reads[r] = append(reads[r], seen{dst[0].AsOf, dst[0].Int(slot), dst[1].Int(slot)})
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	var last hlc.Timestamp
	for n := 1; n <= commits; n++ {
		value := k.attributes(fmt.Sprintf(`{"n":%d}`, n))
		last = k.put(profile.Update{UserID: "a", Attributes: value}, profile.Update{UserID: "b", Attributes: value})
	}
	close(done)
	group.Wait()
	feed.resolvedTo(last)
	stamps := feed.stamps(events.TableProfile, k.project, "a")
	if len(stamps) != commits+1 {
		k.t.Fatalf("the feed has %d commits of the user, want %d", len(stamps), commits+1)
	}
	for _, list := range reads {
		for _, s := range list {
			want := int64(-1)
			for _, stamp := range stamps {
				if !stamp.After(s.at) {
					want++
				}
			}
			if s.n != s.m || s.n != want {
				k.t.Fatalf("a read at %v shows commits %d and %d, want both %d", s.at, s.n, s.m, want)
			}
		}
	}
}

func testTime(t *testing.T, h Harness) {
	each(t, h, map[string]func(*kit){
		"now lies after every acknowledged commit": func(k *kit) {
			for n := range 20 {
				if written, now := k.set("u", fmt.Sprintf(`{"n":%d}`, n)), k.now(); now.Before(written) {
					k.t.Fatalf("now is %v, a commit acknowledged before it has %v", now, written)
				}
			}
		},
		"stamps rise with the order of acknowledgement": func(k *kit) {
			var last hlc.Timestamp
			for n := range 50 {
				at := k.set(fmt.Sprintf("u%d", n%5), fmt.Sprintf(`{"n":%d}`, n))
				if !at.After(last) {
					k.t.Fatalf("commit %d has %v, the one before %v", n, at, last)
				}
				if last = k.load("u0")[0].AsOf; last.Before(at) {
					k.t.Fatalf("a load after the commit at %v is as of %v", at, last)
				}
			}
		},
		"a write of which nothing was accepted has a stamp too": func(k *kit) {
			at, refused, err := k.s.PutUsers(k.ctx, k.project, []profile.Update{{UserID: ""}})
			if err != nil || at.IsZero() || codes(refused) != "0:invalid_user_id" {
				k.t.Errorf("got %v, %v, %v", at, refused, err)
			}
			if at, _, err = k.s.PutEvents(k.ctx, k.project, nil); err != nil || at.IsZero() {
				k.t.Errorf("no events: got %v, %v", at, err)
			}
		},
	})
}
