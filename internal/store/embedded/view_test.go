package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"eligibility/internal/profile"
)

// TestAViewHoldsExactlyTheCommitsBelowItsStamp is the law of the store's order, on as many views as fit into a run of commits.
func TestAViewHoldsExactlyTheCommitsBelowItsStamp(t *testing.T) {
	const commits, readers = 2000, 4
	s := openStore(t, memory(t))
	shop(t, s)
	ctx := context.Background()
	key := profile.Key{Project: "shop", User: "u"}
	type seen struct{ at, n int64 }
	views := make([][]seen, readers)
	done := make(chan struct{})
	var group sync.WaitGroup
	for r := range readers {
		group.Go(func() {
			for {
				var n int64
				var at int64
				err := s.reading(ctx, "test", func(v view) error {
					at = v.at.Wall
					stored, err := s.readRow(v, key)
					if err != nil || stored == nil {
						return err
					}
					return json.Unmarshal(stored.attributes, &struct{ N *int64 }{&n})
				})
				if err != nil {
					t.Error(err)
					return
				}
				views[r] = append(views[r], seen{at, n})
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	var stamps []int64 // of the commits that change the user, ascending
	for n := 1; n <= commits; n++ {
		value := map[string]json.RawMessage{"N": json.RawMessage(fmt.Sprint(n))}
		at, _, err := s.PutUsers(ctx, key.Project, []profile.Update{{UserID: key.User, Attributes: value}})
		if err != nil {
			t.Fatal(err)
		}
		stamps = append(stamps, at.Wall)
	}
	close(done)
	group.Wait()
	total := 0
	for _, list := range views {
		total += len(list)
		for _, v := range list {
			want, found := slices.BinarySearch(stamps, v.at)
			if found {
				want++
			}
			if v.n != int64(want) {
				t.Fatalf("a view at %d shows commit %d, want %d", v.at, v.n, want)
			}
		}
	}
	t.Logf("%d views", total)
}
