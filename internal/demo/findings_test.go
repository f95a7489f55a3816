package demo

import (
	"context"
	"slices"
	"testing"
	"time"

	"eligibility/internal/demo/shop"
	"eligibility/internal/rules"
)

// TestTheShopsPromotionsSayWhatTheyMean holds each promotion against what the check finds, users of the seeded shop included.
func TestTheShopsPromotionsSayWhatTheyMean(t *testing.T) {
	ctx := context.Background()
	store := open(t)
	authoring := rules.NewService(store, rules.ServiceConfig{Sampler: store})
	if _, err := Seed(ctx, store, authoring, config(1000)); err != nil {
		t.Fatal(err)
	}
	expected := map[string][]string{
		"house-banner": {"always_true"},
	}
	documents, err := shop.Promotions(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	// Seeding drew users while they were still coming in; another service draws all of them.
	authoring = rules.NewService(store, rules.ServiceConfig{Sampler: store})
	slowest := time.Duration(0)
	for i := range documents {
		begun := time.Now()
		issues, err := authoring.Check(ctx, Project, &documents[i])
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 { // the first one draws the sample
			slowest = max(slowest, time.Since(begun))
		}
		var got []string
		for _, issue := range issues {
			got = append(got, issue.Code)
		}
		if !slices.Equal(got, expected[documents[i].ID]) {
			t.Errorf("%s: %s\n got %+v\nwant %v", documents[i].ID, documents[i].Rule, issues, expected[documents[i].ID])
		}
		estimate, err := authoring.Estimate(ctx, Project, documents[i].ID, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-20s %4.1f %% (%.1f to %.1f) %v %v", documents[i].ID, 100*estimate.Share, 100*estimate.Low, 100*estimate.High, estimate.Reasons, estimate.Assumed)
	}
	t.Logf("the slowest check took %v", slowest)
}
