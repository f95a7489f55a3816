package storetest

import (
	"errors"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/rules"
)

// acquire takes the lease, which must be free.
func (k *kit) acquire(holder string) (epoch uint64, cursor hlc.Timestamp) {
	k.t.Helper()
	epoch, cursor, err := k.s.Acquire(k.ctx, holder)
	if err != nil {
		k.t.Fatalf("Acquire: %v", err)
	}
	return epoch, cursor
}

func (k *kit) must(what string, err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatalf("%s: %v", what, err)
	}
}

func (k *kit) lost(what string, err error) {
	k.t.Helper()
	if !errors.Is(err, events.ErrLeaseLost) {
		k.t.Errorf("%s: got %v, want ErrLeaseLost", what, err)
	}
}

func testLease(t *testing.T, h Harness) {
	s := open(t, h) // one store, one lease: each test leaves it free
	run := func(name string, test func(k *kit)) {
		t.Run(name, func(t *testing.T) { test(newKit(t, h, s)) })
	}
	run("there is one holder", func(k *kit) {
		epoch, _ := k.acquire("a")
		if _, _, err := k.s.Acquire(k.ctx, "b"); !errors.Is(err, events.ErrLeaseHeld) {
			k.t.Errorf("a second holder: got %v, want ErrLeaseHeld", err)
		}
		k.must("Renew", k.s.Renew(k.ctx, "a", epoch))
		k.must("Release", k.s.Release(k.ctx, epoch))
	})
	run("epochs rise strictly", func(k *kit) {
		var last uint64
		for _, holder := range []string{"a", "b", "a", "a"} {
			epoch, _ := k.acquire(holder)
			if epoch <= last {
				k.t.Errorf("epoch %d after %d", epoch, last)
			}
			last = epoch
			k.must("Release", k.s.Release(k.ctx, epoch))
		}
	})
	run("a released lease is lost to its holder", func(k *kit) {
		epoch, _ := k.acquire("a")
		k.must("Release", k.s.Release(k.ctx, epoch))
		k.lost("Renew", k.s.Renew(k.ctx, "a", epoch))
	})
	run("a stale holder is fenced", func(k *kit) {
		stale, before := k.acquire("a")
		k.must("Release", k.s.Release(k.ctx, stale))
		epoch, _ := k.acquire("b")
		k.lost("Renew", k.s.Renew(k.ctx, "a", stale))
		k.lost("SaveCursor", k.s.SaveCursor(k.ctx, stale, before.Add(time.Hour)))
		k.must("Release of a lost lease", k.s.Release(k.ctx, stale))
		k.must("Renew after it", k.s.Renew(k.ctx, "b", epoch))
		k.must("Release", k.s.Release(k.ctx, epoch))
		epoch, cursor := k.acquire("c")
		equal(k.t, "the cursor of the stale holder was not saved", cursor, before)
		k.must("Release", k.s.Release(k.ctx, epoch))
	})
	run("the cursor is handed on and never goes back", func(k *kit) {
		epoch, _ := k.acquire("a")
		saved := k.now()
		k.must("SaveCursor", k.s.SaveCursor(k.ctx, epoch, saved))
		k.must("SaveCursor of an older one", k.s.SaveCursor(k.ctx, epoch, saved.Add(-time.Minute)))
		k.must("Release", k.s.Release(k.ctx, epoch))
		epoch, cursor := k.acquire("b")
		equal(k.t, "cursor", cursor, saved)
		k.must("Release", k.s.Release(k.ctx, epoch))
	})
	run("a lease that is not renewed is free after its term", func(k *kit) {
		stale, _ := k.acquire("a")
		deadline := time.Now().Add(k.h.LeaseTerm + patience)
		for {
			epoch, _, err := k.s.Acquire(k.ctx, "b")
			if err == nil {
				k.lost("Renew of the expired", k.s.Renew(k.ctx, "a", stale))
				k.must("Release", k.s.Release(k.ctx, epoch))
				return
			}
			if !errors.Is(err, events.ErrLeaseHeld) || time.Now().After(deadline) {
				k.t.Fatalf("Acquire: %v", err)
			}
			<-time.After(k.h.LeaseTerm / 20)
		}
	})
	run("its clock is the store's", func(k *kit) {
		written := k.set("u", `{"n":1}`)
		var lease events.Lease = k.s
		if now, err := lease.Now(k.ctx); err != nil || now.Before(written) {
			k.t.Errorf("now is %v (%v), a commit before it has %v", now, err, written)
		}
	})
}

func testRestart(t *testing.T, h Harness) {
	if h.Reopen == nil {
		t.Skip("this store is not restarted with the process")
	}
	s := h.Open(t)
	k := newKit(t, h, s)
	start := k.now()
	k.email("u", "u@example.com")
	k.set("u", `{"n":1,"plan":"gold"}`)
	k.happen(purchase("u", "x", at(60), 1))
	p := promotion("p", "One")
	k.publish(k.draft(rules.Head{}, p, 1), p)
	written := k.set("u", `{"n":2}`)
	epoch, _ := k.acquire("a")
	cursor := k.now()
	k.must("SaveCursor", k.s.SaveCursor(k.ctx, epoch, cursor))
	entries := len(k.audit())

	k.s = h.Reopen(t, s)
	t.Cleanup(func() {
		if err := k.s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Run("what was acknowledged is there", func(t *testing.T) {
		k := *k
		k.t, k.ctx = t, t.Context()
		equal(t, "attributes", stored(t, k.read("u")), `{"n":2,"plan":"gold"}`)
		equal(t, "events", k.totals("u"), "1")
		equal(t, "holder", k.holder("u@example.com"), "u")
		equal(t, "version", k.version(), 2)
		equal(t, "in force", k.live()[0].Promotion.Content.Title, "One")
		equal(t, "schema", k.load("u")[0].SchemaVersion, k.schema.Version)
		equal(t, "audit", len(k.audit()), entries)
	})
	t.Run("stamps go on after those before", func(t *testing.T) {
		k := *k
		k.t, k.ctx = t, t.Context()
		if now := k.now(); !now.After(cursor) || !now.After(written) {
			t.Errorf("now is %v, before the restart it was %v", now, cursor)
		}
	})
	t.Run("the feed resumes from a cursor of before", func(t *testing.T) {
		k := *k
		k.t, k.ctx = t, t.Context()
		feed := k.follow(start)
		feed.resolvedTo(k.set("u", `{"n":3}`))
		equal(t, "changes of the user", len(feed.stamps(events.TableProfile, k.project, "u")), 5)
	})
	t.Run("the lease has a new epoch and the saved cursor", func(t *testing.T) {
		k := *k
		k.t, k.ctx = t, t.Context()
		next, saved := k.acquire("a")
		if next <= epoch || saved != cursor {
			t.Errorf("epoch %d with cursor %v, want above %d with %v", next, saved, epoch, cursor)
		}
	})
}
