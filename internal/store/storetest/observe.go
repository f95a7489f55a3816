package storetest

import (
	"fmt"
	"testing"

	"eligibility/internal/profile"
)

func testObservations(t *testing.T, h Harness) {
	observe := func(k *kit, seen ...profile.Observed) {
		k.t.Helper()
		if err := k.s.Observe(k.ctx, k.project, seen); err != nil {
			k.t.Fatalf("Observe: %v", err)
		}
	}
	list := func(k *kit) string {
		k.t.Helper()
		got, err := k.s.Observations(k.ctx, k.project)
		if err != nil {
			k.t.Fatalf("Observations: %v", err)
		}
		return fmt.Sprint(got)
	}
	each(t, h, map[string]func(*kit){
		"nothing was seen": func(k *kit) { equal(k.t, "list", list(k), "[]") },
		"what was seen is listed once": func(k *kit) {
			seen := []profile.Observed{
				{What: "property", Name: "sale.total", Type: "double"},
				{What: "attribute", Name: "plan", Type: "string"},
				{What: "eventType", Name: "sale"},
			}
			observe(k, seen...)
			observe(k, seen...)
			equal(k.t, "list", list(k), "[{attribute plan string} {eventType sale } {property sale.total double}]")
		},
		"types that differ are united": func(k *kit) {
			for _, kind := range []string{"int", "", "double", "int"} {
				observe(k, profile.Observed{What: "attribute", Name: "a", Type: kind})
			}
			for _, kind := range []string{"", "bool", "string"} {
				observe(k, profile.Observed{What: "attribute", Name: "b", Type: kind})
			}
			equal(k.t, "list", list(k), "[{attribute a double} {attribute b mixed}]")
		},
		"the number of names is bounded": func(k *kit) {
			for from := 0; from < 5000; from += 500 {
				seen := make([]profile.Observed, 500)
				for i := range seen {
					seen[i] = profile.Observed{What: "attribute", Name: fmt.Sprintf("a%d", from+i), Type: "int"}
				}
				observe(k, seen...)
			}
			got, err := k.s.Observations(k.ctx, k.project)
			if err != nil || len(got) < 500 || len(got) > 2000 {
				k.t.Errorf("%d names are kept (%v), want at most 2000", len(got), err)
			}
		},
	})
}
