package problem

import (
	"encoding/json"
	"regexp"
	"testing"
)

func TestBodyCarriesEveryPart(t *testing.T) {
	index := 3
	p := New("wrong_type", "want %s", "int").At("attributes.age")
	p.Index = &index
	var got map[string]any
	if err := json.Unmarshal(p.Body("/v1/events", "req-1"), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"type": "urn:eligibility:problem:wrong_type", "title": "A value has the wrong type", "status": 400.0, "detail": "want int",
		"instance": "/v1/events", "code": "wrong_type", "requestId": "req-1", "field": "attributes.age", "index": 3.0,
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %v, want %v", k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("body has %d members, want %d: %v", len(got), len(want), got)
	}
}

func TestCodeOutsideOfTheCatalogueIsOurFault(t *testing.T) {
	if got := New("no_such_code", "").Status(); got != 500 {
		t.Errorf("status %d, want 500", got)
	}
}

func TestCatalogueIsWellFormed(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for code, entry := range Catalogue {
		if !name.MatchString(code) || entry.Status < 400 || entry.Status > 599 || entry.Title == "" {
			t.Errorf("code %q: %+v", code, entry)
		}
	}
}
