package embedded

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"eligibility/internal/rules"

	"pgregory.net/rapid"
)

// TestLiveIsWhatIsStored: after any history of drafts, publishes, pauses and retirements, what a view says is in force is what its rows say,
// of older views too.
func TestLiveIsWhatIsStored(t *testing.T) {
	s := openStore(t, memory(t))
	shop(t, s)
	ctx := context.Background()
	heads := make(map[string]rules.Head)
	when := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	check := func(t *rapid.T, v view) {
		kept := v.projects.byName["shop"].live
		stored, err := readLive(v, "shop")
		if err != nil {
			t.Fatal(err)
		}
		of := func(live rules.Roll[rules.LivePromotion]) []rules.LivePromotion { return slices.Collect(live.All()) }
		if !reflect.DeepEqual(of(kept), of(stored)) {
			t.Fatalf("kept %+v\nstored %+v", of(kept), of(stored))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		old := s.view()
		defer old.Close()
		for range rapid.IntRange(1, 6).Draw(t, "changes") {
			id := rapid.SampledFrom([]string{"a", "aa", "b", "c-1", "d"}).Draw(t, "id")
			head := heads[id]
			head.ID, head.Generation = id, head.Generation+1
			c := &rules.Commit{Project: "shop", Head: &head}
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0, 1: // a new revision, in force at once
				head.Last++
				head.Published, head.Retired = head.Last, false
				c.Revision = &rules.Revision{Number: head.Last, PublishedAt: &when, Promotion: rules.Promotion{ID: id, Name: fmt.Sprint(id, head.Last)}}
			case 2:
				head.Paused = !head.Paused
			case 3:
				head.Retired, head.Published = true, 0
			}
			if _, err := s.Commit(ctx, c); err != nil {
				t.Fatal(err)
			}
			heads[id] = head
			now := s.view()
			check(t, now)
			if err := now.Close(); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "older") {
				check(t, old)
			}
		}
	})
}
