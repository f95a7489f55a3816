package rules

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Proving is who sees what before it is in force. It is immutable.
type Proving struct {
	Users  []string `json:"users,omitempty"`  // ids of the test users, in order
	Proofs []Proof  `json:"proofs,omitempty"` // by promotion, one of each
}

// Proof is a revision that test users are shown, as it was when it was sent. Its rule, schedule, caps and holdout do not count.
type Proof struct {
	Promotion Promotion `json:"promotion"`
	Revision  int       `json:"revision"`
	Until     time.Time `json:"until"` // when it is no longer shown
}

// proofIDVersion leads the message ids of proofs. ParseMessageID knows none of them, so that what a test user does with a proof is
// acknowledged like everything about an unknown message, and counted nowhere.
const proofIDVersion = "proof:"

func proofID(promotion string, placement int32, revision int) string {
	text := proofIDVersion + strconv.Itoa(int(placement)) + ":" + promotion + ":" + strconv.Itoa(revision)
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// ProofMessage is a proof in one placement.
type ProofMessage struct {
	Promotion string
	Placement int32
	Until     int64  // wall nanoseconds
	SDK       string // as SDKFragment, with isProof true
}

// renderProofs makes the messages of all proofs once.
func (rs *Ruleset) renderProofs() {
	proving := rs.Settings.Proving
	if proving == nil {
		return
	}
	for i := range proving.Proofs {
		p := &proving.Proofs[i]
		for _, target := range p.Promotion.Placements {
			m := sdkMessageOf(&p.Promotion, proofID(p.Promotion.ID, target.Placement, p.Revision), target)
			m.Metadata.IsProof = true
			fragment, err := json.Marshal(m)
			if err != nil {
				continue // a payload that is no JSON; such a document is never stored
			}
			rs.proofs = append(rs.proofs, ProofMessage{
				Promotion: p.Promotion.ID, Placement: target.Placement, Until: p.Until.UnixNano(), SDK: string(fragment),
			})
		}
	}
}

// ProofsFor lists what the user is sent as a proof and is still to be shown at now, in wall nanoseconds; nil for nearly everybody.
func (rs *Ruleset) ProofsFor(user string, now int64) []ProofMessage {
	if len(rs.proofs) == 0 || !slices.Contains(rs.Settings.Proving.Users, user) {
		return nil
	}
	var all []ProofMessage
	for i := range rs.proofs {
		if now < rs.proofs[i].Until {
			all = append(all, rs.proofs[i])
		}
	}
	return all
}
