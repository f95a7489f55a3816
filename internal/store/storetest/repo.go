package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// commit applies a change that must succeed.
func (k *kit) commit(c rules.Commit) hlc.Timestamp {
	k.t.Helper()
	at, err := k.try(c)
	if err != nil {
		k.t.Fatalf("Commit: %v", err)
	}
	return at
}

func (k *kit) try(c rules.Commit) (hlc.Timestamp, error) {
	c.Project = k.project
	return k.s.Commit(k.ctx, &c)
}

// publishSchema commits the kit's schema as a new ruleset version.
func (k *kit) publishSchema(expect uint64) hlc.Timestamp {
	k.t.Helper()
	return k.commit(rules.Commit{ExpectVersion: expect, NewVersion: true, Schema: k.schema, Audit: audit.Entry{Action: "attribute.create"}})
}

func (k *kit) version() uint64 {
	k.t.Helper()
	v, err := k.s.Version(k.ctx, k.project)
	if err != nil {
		k.t.Fatalf("Version: %v", err)
	}
	return v
}

func (k *kit) spec() *rules.Spec {
	k.t.Helper()
	spec, err := k.s.Spec(k.ctx, k.project)
	if err != nil {
		k.t.Fatalf("Spec: %v", err)
	}
	return spec
}

// live is what is in force, by id.
func (k *kit) live() []rules.LivePromotion {
	k.t.Helper()
	return slices.Collect(k.spec().Promotions.All())
}

func testProjects(t *testing.T, h Harness) {
	each(t, h, map[string]func(*kit){
		"a new project is at version 1 with what it was made from": func(k *kit) {
			name := k.newProjectFrom(rules.Spec{
				Settings: rules.Settings{
					OnStoreDown: rules.ServeStale, MaxStale: rules.Duration(time.Minute), TimeZone: "Europe/Oslo",
					URLSchemes: []string{"shop"},
				},
				Context:    []rules.ContextField{{Name: "platform", Type: profile.Type{Kind: profile.String}}},
				Placements: []rules.Placement{{Placement: 101, Name: "home", Limit: 2}},
			})
			spec, err := k.s.Spec(k.ctx, name)
			if err != nil {
				k.t.Fatal(err)
			}
			equal(k.t, "version", spec.Version, 1)
			equal(k.t, "project", spec.Project, name)
			equal(k.t, "stamp", spec.AsOf.IsZero(), false)
			same(k.t, "settings", spec.Settings, rules.Settings{
				OnStoreDown: rules.ServeStale, MaxStale: rules.Duration(time.Minute),
				TimeZone: "Europe/Oslo", URLSchemes: []string{"shop"},
			})
			equal(k.t, "context", fmt.Sprint(spec.Context), "[{platform string}]")
			equal(k.t, "placements", fmt.Sprint(spec.Placements), "[{101 home 2}]")
			equal(k.t, "promotions", spec.Promotions.Len(), 0)
			if _, ok := spec.Schema.Attribute("email"); !ok || spec.Schema.Version != 1 {
				k.t.Error("a project made without a schema does not have that of a new project")
			}
		},
		"a schema comes back whole and ready for look-ups": func(k *kit) {
			got := k.spec().Schema
			want, err := json.Marshal(k.schema)
			if err != nil {
				k.t.Fatal(err)
			}
			text, err := json.Marshal(got)
			equal(k.t, "schema", string(text)+fmt.Sprint(err), string(want)+"<nil>")
			_, attribute := got.Attribute("address.street")
			_, eventType := got.EventType("purchase")
			equal(k.t, "look-ups", attribute && eventType && len(got.Nested("address")) == 1, true)
		},
		"a name is given once": func(k *kit) {
			_, err := k.s.CreateProject(k.ctx, rules.Spec{Project: k.project}, audit.Entry{})
			if !errors.Is(err, rules.ErrExists) {
				k.t.Errorf("got %v, want ErrExists", err)
			}
		},
		"projects are listed in order": func(k *kit) {
			other := k.newProject()
			list, err := k.s.Projects(k.ctx)
			if err != nil || !slices.IsSorted(list) || !slices.Contains(list, k.project) || !slices.Contains(list, other) {
				k.t.Errorf("projects: %v, %v", list, err)
			}
		},
		"an unknown project is not found": func(k *kit) {
			k.project = "no-such-project"
			_, specErr := k.s.Spec(k.ctx, k.project)
			_, versionErr := k.s.Version(k.ctx, k.project)
			_, commitErr := k.try(rules.Commit{NewVersion: true})
			for what, err := range map[string]error{"Spec": specErr, "Version": versionErr, "Commit": commitErr} {
				if !errors.Is(err, rules.ErrNotFound) {
					k.t.Errorf("%s: got %v, want ErrNotFound", what, err)
				}
			}
		},
		"a change replaces its parts and keeps the others": func(k *kit) {
			k.commit(rules.Commit{ExpectVersion: 1, NewVersion: true, Placements: []rules.Placement{{Placement: 1, Name: "a", Limit: 1}}})
			k.commit(rules.Commit{ExpectVersion: 2, NewVersion: true, Settings: &rules.Settings{TimeZone: "Asia/Tokyo"}})
			locale := rules.ContextField{Name: "locale", Type: profile.Type{Kind: profile.String}}
			k.commit(rules.Commit{ExpectVersion: 3, NewVersion: true, Context: []rules.ContextField{locale}})
			spec := k.spec()
			equal(k.t, "version", spec.Version, 4)
			equal(k.t, "parts", fmt.Sprint(spec.Placements, spec.Settings.TimeZone, spec.Context), "[{1 a 1}]Asia/Tokyo[{locale string}]")
			equal(k.t, "schema", spec.Schema.Version, k.schema.Version)
		},
		"a change computed from another version is refused whole": func(k *kit) {
			k.commit(rules.Commit{ExpectVersion: 1, NewVersion: true})
			for _, expect := range []uint64{0, 1, 3} {
				_, err := k.try(rules.Commit{
					ExpectVersion: expect, NewVersion: true, Settings: &rules.Settings{TimeZone: "Asia/Tokyo"},
					Head: &rules.Head{ID: "p", Generation: 1}, Audit: audit.Entry{Action: "refused"},
				})
				if !errors.Is(err, rules.ErrConflict) {
					k.t.Errorf("computed from %d: got %v, want ErrConflict", expect, err)
				}
			}
			equal(k.t, "version", k.version(), 2)
			equal(k.t, "settings", k.spec().Settings.TimeZone, "UTC")
			if _, err := k.s.Head(k.ctx, k.project, "p"); !errors.Is(err, rules.ErrNotFound) {
				k.t.Errorf("the head of a refused change: %v", err)
			}
			for _, entry := range k.audit() {
				equal(k.t, "audit of a refused change", entry.Action == "refused", false)
			}
		},
		"of racing changes one wins each version": func(k *kit) {
			var won, refused atomic.Int64
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					for range 10 {
						version, err := k.s.Version(k.ctx, k.project)
						if err != nil {
							k.t.Errorf("Version: %v", err)
							return
						}
						switch _, err := k.try(rules.Commit{ExpectVersion: version, NewVersion: true}); {
						case err == nil:
							won.Add(1)
						case errors.Is(err, rules.ErrConflict):
							refused.Add(1)
						default:
							k.t.Errorf("Commit: %v", err)
						}
					}
				})
			}
			group.Wait()
			equal(k.t, "attempts", won.Load()+refused.Load(), 40)
			equal(k.t, "version", k.version(), 1+uint64(won.Load()))
			equal(k.t, "feed", len(k.rulesetChanges()), 1+int(won.Load()))
		},
		"a load after a new schema has it": func(k *kit) {
			for version := uint64(1); version <= 5; version++ {
				k.schema = declare(k.t, k.schema, fmt.Sprintf("extra%d", version), "int")
				at := k.publishSchema(version)
				s := k.load("u")[0]
				if s.SchemaVersion != k.schema.Version || s.AsOf.Before(at) {
					k.t.Fatalf("schema %d was committed at %v: a load at %v has %d", k.schema.Version, at, s.AsOf, s.SchemaVersion)
				}
			}
		},
	})
}

func (k *kit) newProjectFrom(spec rules.Spec) string {
	k.t.Helper()
	spec.Project = fmt.Sprintf("made-%d-%d", time.Now().UnixNano(), projectNumber.Add(1))
	if _, err := k.s.CreateProject(k.ctx, spec, audit.Entry{Project: spec.Project}); err != nil {
		k.t.Fatalf("create project: %v", err)
	}
	return spec.Project
}

// rulesetChanges is the stamps at which the project's ruleset changed, by the feed.
func (k *kit) rulesetChanges() []hlc.Timestamp {
	k.t.Helper()
	feed := k.follow(k.since)
	feed.resolvedTo(k.now())
	return feed.stamps(events.TableRuleset, k.project, "")
}

// same compares two documents deeply.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}
