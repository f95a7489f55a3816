package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/rules"
)

// promotion is a document with every field that needs care on its way to disk and back.
func promotion(id, title string) rules.Promotion {
	start := time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)
	return rules.Promotion{
		ID: id, Name: "Ü " + id, CampaignID: 7, Rule: "user.n > 1 && user.city == '<&>'",
		Placements: []rules.PlacementTarget{{Placement: 101, Priority: 10}}, Channels: []string{"push"},
		Schedule: &rules.Schedule{Start: &start}, FrequencyCap: &rules.FrequencyCap{Impressions: 3, Per: rules.Duration(168 * time.Hour)},
		Holdout: &rules.Holdout{Percent: 2.5, Salt: "s"}, Content: rules.Content{Title: title, Payload: json.RawMessage(`{"a":[1,2]}`)},
	}
}

// draft commits revision number of the promotion as its draft.
func (k *kit) draft(head rules.Head, p rules.Promotion, number int) rules.Head {
	k.t.Helper()
	head.ID, head.Draft, head.Last, head.CampaignID = p.ID, number, max(head.Last, number), p.CampaignID
	head.Generation++
	k.commit(rules.Commit{Head: &head, Revision: &rules.Revision{Promotion: p, Number: number, CreatedBy: "k1"}})
	return head
}

// publish puts the draft into force.
func (k *kit) publish(head rules.Head, p rules.Promotion) rules.Head {
	k.t.Helper()
	when := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	revision := &rules.Revision{Promotion: p, Number: head.Draft, CreatedBy: "k1", PublishedAt: &when, PublishedBy: "k2"}
	head.Published, head.Draft = head.Draft, 0
	head.Generation++
	k.commit(rules.Commit{ExpectVersion: k.version(), NewVersion: true, Head: &head, Revision: revision})
	return head
}

func testPromotions(t *testing.T, h Harness) {
	each(t, h, map[string]func(*kit){
		"head and revision come back as they were committed": func(k *kit) {
			p := promotion("p", "One")
			want := rules.Head{
				ID: "p", Draft: 1, Last: 1, CampaignID: 7, Generation: 1,
				UpdatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), UpdatedBy: "k1",
			}
			revision := rules.Revision{Promotion: p, Number: 1, CreatedAt: want.UpdatedAt, CreatedBy: "k1"}
			k.commit(rules.Commit{Head: &want, Revision: &revision})
			head, err := k.s.Head(k.ctx, k.project, "p")
			if err != nil {
				k.t.Fatal(err)
			}
			same(k.t, "head", *head, want)
			got, err := k.s.Revision(k.ctx, k.project, "p", 1)
			if err != nil {
				k.t.Fatal(err)
			}
			same(k.t, "revision", *got, revision)
		},
		"what is not there is not found": func(k *kit) {
			k.draft(rules.Head{}, promotion("p", "One"), 1)
			_, headErr := k.s.Head(k.ctx, k.project, "q")
			_, revisionErr := k.s.Revision(k.ctx, k.project, "p", 2)
			if !errors.Is(headErr, rules.ErrNotFound) || !errors.Is(revisionErr, rules.ErrNotFound) {
				k.t.Errorf("got %v and %v, want ErrNotFound", headErr, revisionErr)
			}
			list, err := k.s.Revisions(k.ctx, k.project, "q")
			equal(k.t, "revisions of none", fmt.Sprint(list, err), "[] <nil>")
		},
		"a draft makes no ruleset version": func(k *kit) {
			k.draft(rules.Head{}, promotion("p", "One"), 1)
			equal(k.t, "version", k.version(), 1)
			equal(k.t, "in force", k.spec().Promotions.Len(), 0)
		},
		"a draft is overwritten": func(k *kit) {
			head := k.draft(rules.Head{}, promotion("p", "One"), 1)
			k.draft(head, promotion("p", "Two"), 1)
			got, err := k.s.Revision(k.ctx, k.project, "p", 1)
			if err != nil {
				k.t.Fatal(err)
			}
			equal(k.t, "title", got.Promotion.Content.Title, "Two")
		},
		"a published revision keeps its content": func(k *kit) {
			p := promotion("p", "One")
			head := k.publish(k.draft(rules.Head{}, p, 1), p)
			head.Generation++
			_, err := k.try(rules.Commit{Head: &head, Revision: &rules.Revision{Promotion: promotion("p", "Other"), Number: 1}})
			if !errors.Is(err, rules.ErrConflict) {
				k.t.Errorf("got %v, want ErrConflict", err)
			}
			equal(k.t, "title", k.live()[0].Promotion.Content.Title, "One")
		},
		"a change of a head that has changed is refused": func(k *kit) {
			head := k.draft(rules.Head{}, promotion("p", "One"), 1)
			for _, generation := range []uint64{0, 1, 3} {
				head.Generation = generation
				if _, err := k.try(rules.Commit{Head: &head}); !errors.Is(err, rules.ErrConflict) {
					k.t.Errorf("generation %d after 1: got %v, want ErrConflict", generation, err)
				}
			}
			if _, err := k.try(rules.Commit{Head: &rules.Head{ID: "new", Generation: 2}}); !errors.Is(err, rules.ErrConflict) {
				k.t.Errorf("generation 2 of a new head: got %v, want ErrConflict", err)
			}
		},
		"of racing changes of a head one wins": func(k *kit) {
			var won atomic.Int64
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					switch _, err := k.try(rules.Commit{Head: &rules.Head{ID: "p", Generation: 1}}); {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, rules.ErrConflict):
						k.t.Errorf("Commit: %v", err)
					}
				})
			}
			group.Wait()
			equal(k.t, "winners", won.Load(), 1)
		},
		"the ruleset is what is published and not retired, by id": func(k *kit) {
			for _, id := range []string{"c", "a", "a-b", "b", "d"} {
				head := k.draft(rules.Head{}, promotion(id, "One of "+id), 1)
				if id == "d" {
					continue
				}
				head = k.publish(head, promotion(id, "One of "+id))
				head = k.draft(head, promotion(id, "Two of "+id), 2)
				head.Generation++
				switch id {
				case "b":
					head.Retired = true
					k.commit(rules.Commit{ExpectVersion: k.version(), NewVersion: true, Head: &head})
				case "c":
					head.Paused = true
					k.commit(rules.Commit{ExpectVersion: k.version(), NewVersion: true, Head: &head})
				}
			}
			var got []string
			for _, p := range k.live() {
				got = append(got, fmt.Sprintf("%s %d %t", p.Promotion.Content.Title, p.Revision, p.Paused))
			}
			equal(k.t, "in force", fmt.Sprint(got), "[One of a 1 false One of a-b 1 false One of c 1 true]")
			same(k.t, "document", *k.live()[0].Promotion, promotion("a", "One of a"))
		},
		"heads are listed by id in pages": func(k *kit) {
			for _, id := range []string{"b", "a", "ab", "a-b", "c"} {
				k.draft(rules.Head{}, promotion(id, "One"), 1)
			}
			var got []string
			for after, more := "", true; more; {
				page, err := k.s.Heads(k.ctx, k.project, after, 2)
				if err != nil {
					k.t.Fatal(err)
				}
				for _, head := range page {
					got = append(got, head.ID)
					after = head.ID
				}
				more = len(page) == 2
			}
			equal(k.t, "ids", fmt.Sprint(got), "[a a-b ab b c]")
		},
		"revisions are listed newest first": func(k *kit) {
			var head rules.Head
			for number := 1; number <= 12; number++ {
				p := promotion("p", fmt.Sprint(number))
				head = k.publish(k.draft(head, p, number), p)
			}
			list, err := k.s.Revisions(k.ctx, k.project, "p")
			if err != nil || len(list) != 12 {
				k.t.Fatalf("got %d revisions, %v", len(list), err)
			}
			for i, revision := range list {
				equal(k.t, "number", revision.Number, 12-i)
				equal(k.t, "title", revision.Promotion.Content.Title, fmt.Sprint(12-i))
			}
			equal(k.t, "in force", k.live()[0].Revision, 12)
		},
	})
}
