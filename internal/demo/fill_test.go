package demo

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"eligibility/internal/demo/shop"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// counter is a store that only counts, and fails when it is told to.
type counter struct {
	profile.Writer

	refuse profile.ItemError // of every batch of events, unless it is zero
	fail   error             // of every batch of users

	mu     sync.Mutex
	users  map[string]int
	events map[string]int // by id
	sizes  []int          // of the batches of events
}

func (c *counter) PutUsers(_ context.Context, project string, updates []profile.Update) (hlc.Timestamp, []profile.ItemError, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if project != Project {
		return hlc.Timestamp{}, nil, errors.New("another project")
	}
	for i := range updates {
		c.users[updates[i].UserID]++
	}
	return hlc.Timestamp{}, nil, c.fail
}

func (c *counter) PutEvents(_ context.Context, _ string, events []profile.NewEvent) (hlc.Timestamp, []profile.ItemError, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sizes = append(c.sizes, len(events))
	for i := range events {
		c.events[events[i].ID]++
	}
	if c.refuse.Code != "" {
		return hlc.Timestamp{}, []profile.ItemError{c.refuse}, nil
	}
	return hlc.Timestamp{}, nil, nil
}

func newCounter() *counter { return &counter{users: map[string]int{}, events: map[string]int{}} }

func TestFillStoresEverybodyOnceInFullBatches(t *testing.T) {
	const users = 2500
	c := newCounter()
	events, err := fill(t.Context(), c, config(users))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.users) != users || len(c.events) != events {
		t.Errorf("%d users and %d events are stored, %d events told; want %d users", len(c.users), len(c.events), events, users)
	}
	for id, n := range c.users {
		if n != 1 {
			t.Errorf("user %s is stored %d times", id, n)
		}
	}
	for id, n := range c.events {
		if n != 1 {
			t.Errorf("event %s is stored %d times", id, n)
		}
	}
	partial := 0
	for _, size := range c.sizes {
		if size > batchItems {
			t.Errorf("a batch has %d events, more than a store takes", size)
		}
		if size < batchItems {
			partial++
		}
	}
	if partial > fillers {
		t.Errorf("%d batches are not full; each of %d goroutines may end with one", partial, fillers)
	}
}

func TestFillReportsWhatTheStoreDoesNotTake(t *testing.T) {
	refusing := newCounter()
	refusing.refuse = profile.ItemError{Index: 3, Code: "event_too_large", Detail: "the properties are too large"}
	broken := newCounter()
	broken.fail = profile.ErrNotDurable
	for _, c := range []struct {
		name  string
		store *counter
		want  string
	}{
		{"an item", refusing, "put events: item 3: event_too_large: the properties are too large"},
		{"a batch", broken, "put users: " + profile.ErrNotDurable.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := fill(t.Context(), c.store, config(50)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if _, err := fill(t.Context(), broken, config(50)); !errors.Is(err, profile.ErrNotDurable) {
		t.Errorf("%v hides its cause", err)
	}
}

func TestFillOfAShopThatCannotBe(t *testing.T) {
	if _, err := fill(t.Context(), newCounter(), shop.Config{Users: -1}); err == nil {
		t.Error("a shop without users was filled")
	}
}
