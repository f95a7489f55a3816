package rules_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"eligibility/internal/rules"
)

func TestAuditTellsWhoDidWhat(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	ctx := t.Context()
	save(t, s, offer("a", ruleUS))
	if _, err := s.Publish(ctx, editor, project, "a", rules.Intent{Comment: "launch"}); err != nil {
		t.Fatal(err)
	}
	save(t, s, offer("a", ruleDE))
	publish(t, s, "a")
	entries, _, err := s.Audit(ctx, project, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, e := range entries {
		actions = append(actions, e.Action)
		if e.Actor != editor.ID || e.RemoteAddr != editor.RemoteAddr || e.RequestID != editor.RequestID || e.At.IsZero() {
			t.Errorf("entry %+v, want the actor and a time", e)
		}
	}
	want := []string{
		"promotion.publish", "promotion.draft", "promotion.publish", "promotion.draft",
		"placement.declare", "event_type.declare", "attribute.declare", "project.create",
	}
	if fmt.Sprint(actions) != fmt.Sprint(want) {
		t.Errorf("actions %v, want %v", actions, want)
	}
	second, launch := entries[0], entries[2]
	if launch.Comment != "launch" || launch.Before != "" || launch.After == "" || launch.Version != 5 {
		t.Errorf("first publish: %+v", launch)
	}
	if second.Before != launch.After || second.After == second.Before || len(second.After) != 64 {
		t.Errorf("second publish: before %s after %s, want before to be %s", second.Before, second.After, launch.After)
	}
	if entries[1].Version != 0 {
		t.Errorf("a draft made version %d, want none", entries[1].Version)
	}
}

func TestDiff(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	p := offer("a", ruleUS)
	p.Content.Buttons = []rules.Button{{ID: "b1", Title: "Shop"}}
	save(t, s, p)
	publish(t, s, "a")
	p.Rule, p.Placements[0].Priority, p.Content.Body, p.Content.Buttons = ruleDE, 1, "now", nil
	save(t, s, p)
	from, to, found, err := s.Diff(t.Context(), project, "a", 0, 0)
	if err != nil || from != 1 || to != 2 {
		t.Fatalf("diff %d to %d: %v, want the revision in force and the draft", from, to, err)
	}
	var got []string
	for _, d := range found {
		got = append(got, fmt.Sprintf("%s: %s -> %s", d.Path, d.Old, d.New))
	}
	want := []string{
		`content.body:  -> "now"`, `content.buttons: [{"id":"b1","title":"Shop"}] -> `, `placements[0].priority: 10 -> 1`,
		`rule: "user.country == 'US'" -> "user.country == 'DE'"`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("differences\n%v\nwant\n%v", got, want)
	}
	if _, _, _, err := s.Diff(t.Context(), project, "a", 1, 9); !errors.Is(err, rules.ErrRevision) {
		t.Errorf("unknown revision: %v, want ErrRevision", err)
	}
	if _, _, same, err := s.Diff(t.Context(), project, "a", 1, 1); err != nil || len(same) != 0 {
		t.Errorf("with itself: %v, %v", same, err)
	}
}

func TestListing(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	for i := range 10 {
		save(t, s, offer(fmt.Sprintf("p%02d", i), ruleUS))
	}
	for i := range 5 {
		if _, err := s.Retire(t.Context(), editor, project, fmt.Sprintf("p%02d", 2*i), rules.Intent{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name    string
		limit   int
		retired bool
		want    string
	}{
		{"active ones in small pages", 2, false, "[p01 p03|p05 p07|p09]"},
		{"active ones in one page", 5, false, "[p01 p03 p05 p07 p09]"},
		{"all", 4, true, "[p00 p01 p02 p03|p04 p05 p06 p07|p08 p09]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, after := "[", ""
			for {
				heads, next, err := s.List(t.Context(), project, after, tt.limit, tt.retired)
				if err != nil {
					t.Fatal(err)
				}
				for i := range heads {
					if i > 0 {
						got += " "
					}
					got += heads[i].ID
				}
				if after = next; next == "" {
					break
				}
				got += "|"
			}
			if got += "]"; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWithRevision(t *testing.T) {
	store := openStore(t)
	s := newAuthoring(t, store, rules.ServiceConfig{})
	for _, id := range []string{"a", "b", "c"} {
		save(t, s, offer(id, ruleUS))
	}
	publish(t, s, "a")
	publish(t, s, "c")
	if _, err := s.Pause(t.Context(), editor, project, "c", rules.Intent{}); err != nil {
		t.Fatal(err)
	}
	save(t, s, offer("c", ruleDE))
	for _, tt := range []struct{ id, want string }{{"b", "a1 b1 c1p "}, {"c", "a1 c2 "}, {"a", "a1 c1p "}} {
		spec, _, err := s.WithRevision(t.Context(), project, tt.id, 0)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for p := range spec.Promotions.All() {
			got += p.Promotion.ID + strconv.Itoa(p.Revision)
			if p.Paused {
				got += "p"
			}
			got += " "
		}
		if got != tt.want {
			t.Errorf("with %s: %q, want %q", tt.id, got, tt.want)
		}
	}
	if inForce(t, store, "b") != nil {
		t.Error("a preview put a draft into force")
	}
}
