package precheck

import (
	"slices"

	"eligibility/internal/rules"
)

// Withdrawn says why nobody may be sent the promotion any more, whatever the rules say that a run has pinned: who pauses it means the users that are still to come. It is "" while it
// may be sent, and when rs, the ruleset in force, is nil or has it in quarantine: then nobody withdrew it.
func Withdrawn(rs *rules.Ruleset, promotion string) rules.Reason {
	if rs == nil {
		return ""
	}
	live, found := rs.Promotion(promotion)
	switch {
	case found && live.Paused:
		return rules.ReasonPaused
	case found, slices.ContainsFunc(rs.Quarantined, func(held rules.Quarantine) bool { return held.Promotion == promotion }):
		return ""
	}
	return rules.ReasonEnded
}
