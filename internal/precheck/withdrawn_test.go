package precheck

import (
	"testing"

	"eligibility/internal/rules"
)

func TestWithdrawn(t *testing.T) {
	job, _ := newJob(t)
	known := job.Promotion.ID
	if got := Withdrawn(nil, known); got != "" {
		t.Errorf("without rules: %q", got)
	}
	if got := Withdrawn(job.Ruleset, known); got != "" {
		t.Errorf("of a promotion in force: %q", got)
	}
	if got := Withdrawn(job.Ruleset, "gone"); got != rules.ReasonEnded {
		t.Errorf("of one that was retired: %q", got)
	}
	held := &rules.Ruleset{Quarantined: []rules.Quarantine{{Promotion: "held"}}}
	if got := Withdrawn(held, "held"); got != "" {
		t.Errorf("of one in quarantine: %q", got)
	}
}
