package server

import (
	"slices"

	"eligibility/internal/cache"
	"eligibility/internal/engine"
	"eligibility/internal/rules"
)

// placeProofs is place for a test user who is sent proofs: they stand before the messages of their placement, in the place of the live one
// of the same promotion, and the placement shows them beyond its limit. Such an answer is not kept.
func (s *Server) placeProofs(
	st *state, rs *rules.Ruleset, read *cache.Read, dst []byte, proofs []rules.ProofMessage, degraded bool,
) []byte {
	req, d := &st.request, &st.decision
	engine.Decide(rs, read.Snapshot, req, d)
	if d.Errors > 0 {
		s.stats.ruleErrors.Add(uint64(d.Errors))
	}
	from, until := len(dst), d.ValidUntil
	for i := range d.Placements {
		p := &d.Placements[i]
		dst = appendPlacementHead(dst, formSDK, i, p.ID)
		first := len(dst)
		write := func(fragment string) {
			if len(dst) > first {
				dst = append(dst, ',')
			}
			dst = append(dst, fragment...)
		}
		for j := range proofs {
			if proofs[j].Placement == p.ID {
				write(proofs[j].SDK)
				until = min(until, proofs[j].Until)
			}
		}
		for _, message := range p.Messages {
			if !proven(proofs, message.Promotion.ID, p.ID) {
				write(formSDK.fragment(message, p.ID))
			}
		}
		dst = append(dst, `]}`...)
	}
	st.tag = tag{text: newTag(dst[from:]), until: until, set: true}
	st.unchanged = !degraded && st.has(&st.tag.text)
	return dst
}

// proven reports whether the promotion is shown in the placement as a proof.
func proven(proofs []rules.ProofMessage, promotion string, placement int32) bool {
	return slices.ContainsFunc(proofs, func(p rules.ProofMessage) bool { return p.Promotion == promotion && p.Placement == placement })
}

// appendProofs makes a stream's digest one of the user's proofs too, and its edge theirs if it comes first.
func appendProofs(dst []byte, proofs []rules.ProofMessage, until int64) ([]byte, int64) {
	for i := range proofs {
		dst = append(dst, proofs[i].SDK...)
		until = min(until, proofs[i].Until)
	}
	return dst, until
}
