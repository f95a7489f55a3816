package rules_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

func declaring(t *testing.T, s *rules.Service) *rules.Service {
	t.Helper()
	settings := rules.DefaultSettings()
	settings.NewFields = rules.DeclareNewFields
	if _, err := s.PutSettings(t.Context(), editor, project, settings); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestReplicasCreateFieldsAtOnce: two replicas over one store are sent overlapping fields; each is declared once, and by one of them.
func TestReplicasCreateFieldsAtOnce(t *testing.T) {
	store := openStore(t)
	one := declaring(t, newAuthoring(t, store, rules.ServiceConfig{}))
	replicas := []*rules.Service{one, rules.NewService(store, rules.ServiceConfig{})}
	before, err := one.Project(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	const each = 6
	var mu sync.Mutex
	var created []string
	var calls sync.WaitGroup
	for i := range 2 * each {
		calls.Go(func() {
			fields := make(map[string]profile.Type)
			for j := range 3 {
				fields[fmt.Sprintf("field%d", i/2+j)] = profile.Type{Kind: profile.Int}
			}
			schema, names, err := replicas[i%2].CreateFields(t.Context(), editor, project, fields)
			if err != nil {
				t.Errorf("call %d: %v", i, err)
				return
			}
			for name := range fields {
				if _, ok := schema.Attribute(name); !ok {
					t.Errorf("call %d: the schema it was given lacks %s", i, name)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			created = append(created, names...)
		})
	}
	calls.Wait()
	slices.Sort(created)
	if unique := slices.Compact(slices.Clone(created)); len(unique) != len(created) || len(unique) != each+2 {
		t.Errorf("created %v, want each of %d once", created, each+2)
	}
	after, err := one.Project(t.Context(), project)
	if err != nil || len(after.Schema.Attributes) != len(before.Schema.Attributes)+each+2 {
		t.Errorf("%d attributes after %d, %v", len(after.Schema.Attributes), len(before.Schema.Attributes), err)
	}
}

func TestCreatedFieldsLeaveRoomForPeople(t *testing.T) {
	s := declaring(t, newAuthoring(t, openStore(t), rules.ServiceConfig{}))
	fields := make(map[string]profile.Type)
	for i := range profile.MaxAttributes + 10 {
		fields[fmt.Sprintf("field%d", i)] = profile.Type{Kind: profile.String}
	}
	schema, _, err := s.CreateFields(t.Context(), editor, project, fields)
	if err != nil || len(schema.Attributes) != profile.MaxAttributes-rules.ReservedAttributes {
		t.Fatalf("%d attributes, %v", len(schema.Attributes), err)
	}
	before, _ := s.Project(t.Context(), project)
	if _, created, err := s.CreateFields(t.Context(), editor, project, fields); err != nil || len(created) > 0 {
		t.Errorf("beyond the limit %v were created, %v", created, err)
	}
	if after, _ := s.Project(t.Context(), project); after.Version != before.Version {
		t.Errorf("nothing was created and the version rose from %d to %d", before.Version, after.Version)
	}
	if _, err := s.DeclareAttribute(t.Context(), editor, project, "byHand", profile.Type{Kind: profile.Int}, false); err != nil {
		t.Errorf("a person declares one more: %v", err)
	}
}

func TestFieldsAreCreatedByPolicyAlone(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	schema, created, err := s.CreateFields(t.Context(), editor, project, map[string]profile.Type{"size": {Kind: profile.Int}})
	if _, declared := schema.Attribute("size"); err != nil || len(created) > 0 || declared {
		t.Errorf("created %v, %v", created, err)
	}
}
