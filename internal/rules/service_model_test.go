package rules_test

import (
	"errors"
	"fmt"
	"testing"

	"eligibility/internal/rules"

	"pgregory.net/rapid"
)

// lifeModel is what one promotion should be after a history of operations.
type lifeModel struct {
	draft, published, last int
	paused, retired        bool
	texts                  map[int]string // rule by revision
	wasPublished           map[int]bool
	generation             uint64
	version                uint64
}

func (m *lifeModel) live() bool { return m.published != 0 && !m.retired }

// TestLifeCycleModel drives two replicas of the service with random histories and holds them against a model: what is in force, that a
// version is made exactly when what is in force changes, and that a published revision never changes.
func TestLifeCycleModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := openStore(t)
		replicas := []*rules.Service{newAuthoring(t, store, rules.ServiceConfig{}), rules.NewService(store, rules.ServiceConfig{})}
		m := &lifeModel{texts: make(map[int]string), wasPublished: make(map[int]bool), version: 4}
		ctx := t.Context()
		pick := func() *rules.Service { return replicas[rapid.IntRange(0, 1).Draw(rt, "replica")] }
		// settle takes in what an operation came to: an error must be the one that the model expects, and leaves everything as it was.
		settle := func(applied rules.Applied, err, want error, live bool, change func()) {
			if !errors.Is(err, want) {
				rt.Fatalf("got %v, want %v", err, want)
			}
			if err != nil {
				return
			}
			before := *m
			change()
			changed := before.draft != m.draft || before.published != m.published || before.paused != m.paused || before.retired != m.retired ||
				before.generation != m.generation
			if changed && live {
				m.version++
			}
			if changed {
				m.generation = before.generation + 1
			}
			if applied.Changed != changed || applied.Version != m.version {
				rt.Fatalf("applied %+v, want changed %v at version %d", applied, changed, m.version)
			}
		}
		enforce := func(number int) func() {
			return func() {
				if number == m.published && !m.retired {
					return
				}
				m.published, m.retired = number, false
				if number == m.draft {
					m.draft = 0
				}
				m.wasPublished[number] = true
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"save": func(rt *rapid.T) {
				text := fmt.Sprintf("user.country == 'C%d'", rapid.IntRange(0, 2).Draw(rt, "rule"))
				applied, err := pick().SaveDraft(ctx, editor, project, offer("p", text), "")
				settle(applied, err, nil, false, func() {
					inUse := m.draft
					if inUse == 0 && !m.retired {
						inUse = m.published
					}
					if inUse != 0 && m.texts[inUse] == text {
						return
					}
					if m.draft == 0 {
						m.last++
						m.draft = m.last
					} else {
						m.generation++ // another text under the same number is a change too; settle sets the count right
					}
					m.texts[m.draft] = text
				})
			},
			"publish": func(rt *rapid.T) {
				want := error(nil)
				switch {
				case m.last == 0:
					want = rules.ErrNotFound
				case m.draft == 0:
					want = rules.ErrNoDraft
				}
				applied, err := pick().Publish(ctx, editor, project, "p", rules.Intent{})
				settle(applied, err, want, true, enforce(m.draft))
			},
			"rollback": func(rt *rapid.T) {
				number := rapid.IntRange(1, 6).Draw(rt, "revision")
				want := error(nil)
				switch {
				case m.last == 0:
					want = rules.ErrNotFound
				case number > m.last:
					want = rules.ErrRevision
				case !m.wasPublished[number]:
					want = rules.ErrNotPublished
				}
				applied, err := pick().Rollback(ctx, editor, project, "p", rules.Intent{Revision: number})
				settle(applied, err, want, true, enforce(number))
			},
			"pause or resume": func(rt *rapid.T) {
				pause := rapid.Bool().Draw(rt, "pause")
				want := error(nil)
				switch {
				case m.last == 0:
					want = rules.ErrNotFound
				case !m.live():
					want = rules.ErrNotPublished
				}
				do := pick().Resume
				if pause {
					do = pick().Pause
				}
				applied, err := do(ctx, editor, project, "p", rules.Intent{})
				settle(applied, err, want, true, func() { m.paused = pause })
			},
			"retire": func(rt *rapid.T) {
				want := error(nil)
				if m.last == 0 {
					want = rules.ErrNotFound
				}
				live := m.live()
				applied, err := pick().Retire(ctx, editor, project, "p", rules.Intent{})
				settle(applied, err, want, live, func() { m.draft, m.published, m.paused, m.retired = 0, 0, false, true })
			},
			"": func(rt *rapid.T) {
				live := inForce(t, store, "p")
				if (live != nil) != m.live() {
					rt.Fatalf("in force: %+v, want %+v", live, m)
				}
				if live != nil && (live.Revision != m.published || live.Paused != m.paused || live.Promotion.Rule != m.texts[m.published]) {
					rt.Fatalf("in force: %+v, want %+v", live, m)
				}
				for number := range m.wasPublished {
					_, rev, err := replicas[0].Get(ctx, project, "p", number)
					if err != nil || rev.Promotion.Rule != m.texts[number] || rev.PublishedAt == nil {
						rt.Fatalf("published revision %d: %+v, %v; want rule %s", number, rev, err, m.texts[number])
					}
				}
			},
		})
	})
}
