package rules_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/rules"
)

func TestTestUsers(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	many := make([]string, rules.MaxTestUsers+1)
	for i := range many {
		many[i] = fmt.Sprint("user", i)
	}
	for _, tt := range []struct {
		name  string
		users []string
		field string
	}{
		{"in order, each once", []string{"b", "a", "b"}, ""},
		{"none", nil, ""},
		{"no id", []string{"a", ""}, "userIds[1]"},
		{"too many", many, "userIds"},
	} {
		_, got, err := s.PutTestUsers(t.Context(), editor, project, tt.users)
		var field *rules.FieldError
		switch {
		case tt.field != "" && (!errors.As(err, &field) || field.Field != tt.field):
			t.Errorf("%s: %v, want a fault of %s", tt.name, err, tt.field)
		case tt.field == "" && (err != nil || !slices.IsSorted(got) || len(got) > 2):
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}

func TestSettingsLeaveProofsAlone(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	if _, _, err := s.PutTestUsers(t.Context(), editor, project, []string{"ada"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutSettings(t.Context(), editor, project, rules.Settings{TimeZone: "Europe/Berlin"}); err != nil {
		t.Fatal(err)
	}
	if users, err := s.TestUsers(t.Context(), project); err != nil || fmt.Sprint(users) != "[ada]" {
		t.Errorf("test users %v, %v", users, err)
	}
	_, err := s.PutSettings(t.Context(), editor, project, rules.Settings{Proving: &rules.Proving{}})
	if field := (*rules.FieldError)(nil); !errors.As(err, &field) {
		t.Errorf("settings with proofs: %v", err)
	}
}

func TestWhatCanBeProven(t *testing.T) {
	now := time.Now()
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{Now: func() time.Time { return now }})
	send := func(id string, in rules.ProofIntent) (*rules.Proof, error) {
		_, proof, err := s.SendProof(t.Context(), editor, project, id, in)
		return proof, err
	}
	save(t, s, offer("spring", "half a rule ("))
	if _, err := send("spring", rules.ProofIntent{}); !errors.Is(err, rules.ErrNoTestUsers) {
		t.Errorf("without test users: %v", err)
	}
	if _, _, err := s.PutTestUsers(t.Context(), editor, project, []string{"ada"}); err != nil {
		t.Fatal(err)
	}
	nowhere, hostile := offer("nowhere", ruleUS), offer("hostile", ruleUS)
	nowhere.Placements = nil
	nowhere.Channels = []string{"push"}
	hostile.Content.MediaURL = "javascript:alert(1)"
	save(t, s, nowhere)
	save(t, s, hostile)
	for _, tt := range []struct {
		name, id string
		in       rules.ProofIntent
		want     string // of the error; "" for none
	}{
		{"a rule that is not finished", "spring", rules.ProofIntent{}, ""},
		{"for a week", "spring", rules.ProofIntent{For: rules.MaxProofLife}, ""},
		{"for longer", "spring", rules.ProofIntent{For: rules.MaxProofLife + 1}, "for"},
		{"for less than no time", "spring", rules.ProofIntent{For: -1}, "for"},
		{"a revision that is not there", "spring", rules.ProofIntent{Revision: 7}, "no such revision"},
		{"an unknown promotion", "autumn", rules.ProofIntent{}, "not found"},
		{"no placement", "nowhere", rules.ProofIntent{}, "placements"},
		{"a URL that runs code", "hostile", rules.ProofIntent{}, "mediaUrl"},
		{"a withdrawal of what is not shown", "hostile", rules.ProofIntent{Withdraw: true}, ""},
	} {
		proof, err := send(tt.id, tt.in)
		switch {
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		case tt.want == "" && err != nil, tt.want == "" && proof == nil && !tt.in.Withdraw:
			t.Errorf("%s: %v, %v", tt.name, proof, err)
		}
	}
	for i := range rules.MaxProofs - 1 {
		save(t, s, offer(fmt.Sprintf("offer%d", i), ruleUS))
		if _, err := send(fmt.Sprintf("offer%d", i), rules.ProofIntent{}); err != nil {
			t.Fatal(err)
		}
	}
	save(t, s, offer("onemore", ruleUS))
	if _, err := send("onemore", rules.ProofIntent{}); !errors.Is(err, rules.ErrProofs) {
		t.Errorf("one too many: %v", err)
	}
	now = now.Add(2 * time.Hour) // all but the one that lasts a week are over, and make room
	if _, err := send("onemore", rules.ProofIntent{}); err != nil {
		t.Error(err)
	}
}
