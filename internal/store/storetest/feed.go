package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// recorder follows the feed beside a test and checks what holds for every feed: no change at or below a resolved stamp comes for the first
// time after it, resolved stamps do not go back, and each key's changes come in order.
type recorder struct {
	k      *kit
	cancel context.CancelFunc
	ended  chan struct{}

	mu       sync.Mutex
	news     chan struct{} // closed and replaced when something came
	first    map[events.Change]bool
	changes  []events.Change // in order of their first emission
	newest   map[events.Change]hlc.Timestamp
	resolved hlc.Timestamp
	faults   []string
	err      error
}

// follow starts a recorder after the stamp. It ends with the test.
func (k *kit) follow(after hlc.Timestamp) *recorder {
	ctx, cancel := context.WithCancel(context.Background())
	r := &recorder{
		k: k, cancel: cancel, ended: make(chan struct{}), news: make(chan struct{}),
		first: make(map[events.Change]bool), newest: make(map[events.Change]hlc.Timestamp),
	}
	go func() {
		defer close(r.ended)
		err := k.s.Follow(ctx, after, r.take)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.err = err
		r.announce()
	}()
	k.t.Cleanup(func() {
		r.stop()
		for _, fault := range r.faults {
			k.t.Error(fault)
		}
	})
	return r
}

// stop ends the recorder and waits for it.
func (r *recorder) stop() {
	r.cancel()
	<-r.ended
}

func (r *recorder) take(b events.FeedBatch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range b.Changes {
		if r.first[c] {
			continue // at least once
		}
		r.first[c] = true
		if !c.At.After(r.resolved) {
			r.faults = append(r.faults, fmt.Sprintf("%v came for the first time after resolved %v", c, r.resolved))
		}
		row := c
		row.At = hlc.Timestamp{}
		if !c.At.After(r.newest[row]) {
			r.faults = append(r.faults, fmt.Sprintf("%v came after the same row's change at %v", c, r.newest[row]))
		}
		r.newest[row] = c.At
		r.changes = append(r.changes, c)
	}
	if !b.Resolved.IsZero() {
		if b.Resolved.Before(r.resolved) {
			r.faults = append(r.faults, fmt.Sprintf("resolved went back from %v to %v", r.resolved, b.Resolved))
		}
		r.resolved = b.Resolved
	}
	r.announce()
	return nil
}

func (r *recorder) announce() {
	close(r.news)
	r.news = make(chan struct{})
}

// wait waits until reached, which it calls under the lock, and fails the test when it does not come to that.
func (r *recorder) wait(what string, reached func() bool) {
	r.k.t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		ok, news, err := reached(), r.news, r.err
		r.mu.Unlock()
		switch {
		case ok:
			return
		case err != nil:
			r.k.t.Fatalf("the feed ended while waiting for %s: %v", what, err)
		}
		select {
		case <-news:
		case <-timeout:
			r.k.t.Fatalf("%s did not come", what)
		}
	}
}

// waitFor waits for a change of the row, at or before the stamp that its write returned.
func (r *recorder) waitFor(row events.Change, written hlc.Timestamp) {
	r.k.t.Helper()
	r.wait(fmt.Sprintf("change of %v", row), func() bool { return !r.newest[row].IsZero() && !r.newest[row].After(written) })
}

func (r *recorder) resolvedTo(at hlc.Timestamp) {
	r.k.t.Helper()
	r.wait(fmt.Sprintf("resolved %v", at), func() bool { return !r.resolved.Before(at) })
}

// stamps are the commit stamps of the row's changes so far.
func (r *recorder) stamps(table events.Table, project, key string) []hlc.Timestamp {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []hlc.Timestamp
	for _, c := range r.changes {
		if c.Table == table && c.Project == project && c.Key == key {
			list = append(list, c.At)
		}
	}
	return list
}

func testFeed(t *testing.T, h Harness) {
	profileOf := func(k *kit, user string) events.Change {
		return events.Change{Table: events.TableProfile, Project: k.project, Key: user}
	}
	each(t, h, map[string]func(*kit){
		"every commit of a user appears": func(k *kit) {
			feed := k.follow(k.now())
			var last hlc.Timestamp
			for n := range 30 {
				user := fmt.Sprintf("u%d", n%3)
				if n%2 == 0 {
					last = k.set(user, fmt.Sprintf(`{"n":%d}`, n))
				} else {
					last = k.happen(profile.NewEvent{UserID: user, Name: "visit"})
				}
				feed.waitFor(profileOf(k, user), last)
			}
			feed.resolvedTo(last)
			for n := range 3 {
				equal(k.t, "changes", len(feed.stamps(events.TableProfile, k.project, fmt.Sprintf("u%d", n))), 10)
			}
		},
		"every user of a batch appears, at one stamp": func(k *kit) {
			feed := k.follow(k.now())
			updates := make([]profile.Update, 1000)
			for i := range updates {
				updates[i] = profile.Update{UserID: fmt.Sprintf("u%d", i), Attributes: k.attributes(`{"n":1}`)}
			}
			feed.resolvedTo(k.put(updates...))
			want := feed.stamps(events.TableProfile, k.project, "u0")
			for i := range updates {
				got := feed.stamps(events.TableProfile, k.project, updates[i].UserID)
				if len(got) != 1 || got[0] != want[0] {
					k.t.Fatalf("user %d of the batch has changes at %v, want one at %v", i, got, want)
				}
			}
		},
		"old and new address appear": func(k *kit) {
			k.email("u", "old@example.com")
			feed := k.follow(k.now())
			at := k.email("u", "new@example.com")
			for _, address := range []string{"old@example.com", "new@example.com"} {
				feed.waitFor(events.Change{Table: events.TableEmail, Project: k.project, Key: address}, at)
			}
			feed.waitFor(profileOf(k, "u"), at)
		},
		"a new ruleset version appears, a draft does not": func(k *kit) {
			feed := k.follow(k.now())
			k.draft(rules.Head{}, promotion("p", "One"), 1)
			at := k.commit(rules.Commit{ExpectVersion: 1, NewVersion: true})
			feed.waitFor(events.Change{Table: events.TableRuleset, Project: k.project}, at)
			feed.resolvedTo(at)
			equal(k.t, "ruleset changes", len(feed.stamps(events.TableRuleset, k.project, "")), 1)
		},
		"resolved stamps come when nothing happens": func(k *kit) {
			feed := k.follow(k.now())
			for range 3 {
				feed.resolvedTo(k.now())
			}
		},
		"what is read before a resolved stamp is covered by it": func(k *kit) {
			feed := k.follow(k.since)
			at := k.set("u", `{"n":1}`)
			feed.resolvedTo(at)
			if stamps := feed.stamps(events.TableProfile, k.project, "u"); len(stamps) != 1 || stamps[0].After(at) {
				k.t.Errorf("resolved past %v, the change is at %v", at, stamps)
			}
		},
		"the cursor is exclusive and nothing after it is lost": func(k *kit) {
			start := k.now()
			full := k.follow(start)
			var last hlc.Timestamp
			for n := range 10 {
				last = k.set("u", fmt.Sprintf(`{"n":%d}`, n))
			}
			full.resolvedTo(last)
			stamps := full.stamps(events.TableProfile, k.project, "u")
			if len(stamps) != 10 {
				k.t.Fatalf("%d changes, want 10", len(stamps))
			}
			for i, cursor := range stamps {
				rest := k.follow(cursor)
				rest.resolvedTo(last)
				got := rest.stamps(events.TableProfile, k.project, "u")
				same(k.t, "changes after the cursor", append([]hlc.Timestamp{}, got...), append([]hlc.Timestamp{}, stamps[i+1:]...))
				rest.stop()
			}
		},
		"a follower resumes from a resolved stamp": func(k *kit) {
			feed := k.follow(k.now())
			feed.resolvedTo(k.set("u", `{"n":1}`))
			feed.stop()
			cursor := feed.resolved
			missed := k.set("u", `{"n":2}`)
			resumed := k.follow(cursor)
			resumed.waitFor(profileOf(k, "u"), missed)
			resumed.resolvedTo(missed)
			equal(k.t, "changes", len(resumed.stamps(events.TableProfile, k.project, "u")), 1)
		},
		"two followers see the same": func(k *kit) {
			start := k.now()
			a, b := k.follow(start), k.follow(start)
			var last hlc.Timestamp
			for n := range 20 {
				last = k.set(fmt.Sprintf("u%d", n%4), fmt.Sprintf(`{"n":%d}`, n))
			}
			a.resolvedTo(last)
			b.resolvedTo(last)
			for n := range 4 {
				user := fmt.Sprintf("u%d", n)
				same(k.t, user, a.stamps(events.TableProfile, k.project, user), b.stamps(events.TableProfile, k.project, user))
			}
		},
		"nothing is lost and nothing comes late under concurrent writers": func(k *kit) {
			const writers, writes = 6, 40
			feed := k.follow(k.now())
			var group sync.WaitGroup
			for w := range writers {
				group.Go(func() {
					for n := range writes {
						update := profile.Update{UserID: fmt.Sprintf("u%d", w), Attributes: k.attributes(fmt.Sprintf(`{"n":%d}`, n))}
						if _, _, err := k.s.PutUsers(k.ctx, k.project, []profile.Update{update}); err != nil {
							k.t.Errorf("PutUsers: %v", err)
						}
					}
				})
			}
			group.Wait()
			feed.resolvedTo(k.now())
			for w := range writers {
				equal(k.t, "changes", len(feed.stamps(events.TableProfile, k.project, fmt.Sprintf("u%d", w))), writes)
			}
		},
		"an error of the receiver ends the feed as it is": func(k *kit) {
			want := errors.New("enough")
			if err := k.s.Follow(k.ctx, k.now(), func(events.FeedBatch) error { return want }); !errors.Is(err, want) {
				k.t.Errorf("got %v, want %v", err, want)
			}
		},
		"an ended context ends the feed": func(k *kit) {
			feed := k.follow(k.now())
			feed.resolvedTo(k.now())
			feed.stop()
			if !errors.Is(feed.err, context.Canceled) {
				k.t.Errorf("got %v, want %v", feed.err, context.Canceled)
			}
		},
	})
	t.Run("a cursor before what is kept is too old", func(t *testing.T) {
		if h.ForgetChanges == nil {
			t.Skip("this store cannot be made to forget changes")
		}
		k := newKit(t, h, open(t, h)) // a store of its own: the other tests read from the past
		old := k.set("u", `{"n":1}`)
		k.set("u", `{"n":2}`)
		h.ForgetChanges(t, k.s)
		err := k.s.Follow(k.ctx, old, func(events.FeedBatch) error { return nil })
		if !errors.Is(err, events.ErrCursorTooOld) {
			t.Errorf("got %v, want ErrCursorTooOld", err)
		}
		feed := k.follow(k.now())
		at := k.set("u", `{"n":3}`)
		feed.waitFor(profileOf(k, "u"), at)
	})
}
