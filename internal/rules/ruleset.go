package rules

import (
	"slices"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// Ruleset is all published promotions of a project at one version, compiled. It is immutable; a request loads one pointer and uses it to
// the end.
type Ruleset struct {
	Project     string
	Version     uint64
	AsOf        hlc.Timestamp // when its Spec was read
	Settings    Settings
	Schema      *profile.Schema
	Context     []ContextField
	Retention   int64  // nanoseconds for which user events count
	ReadsSchema uint64 // a snapshot decoded with an older schema version lacks an attribute that some rule reads
	Placements  []PlacementTable
	Promotions  Roll[*Compiled]
	Quarantined []Quarantine

	live       Roll[LivePromotion] // what it was compiled from
	placements map[int32]int
	context    map[string]int
	coding     *coding // of the placements' indexes
	asks       []asked // by slot of Context
	askAxes    []int   // of askedClass
	proofs     []ProofMessage
	sending    Sending
	zones      *zones
}

// Compiled is a published promotion ready to be decided on.
type Compiled struct {
	*Promotion
	Revision int
	Paused   bool
	// Start and End are the schedule in wall nanoseconds; 0 is open.
	Start, End int64

	Rule *Rule

	sending  *Sending
	reads    uint64     // the schema version that a snapshot needs for Rule and sending
	messages []rendered // by index in Placements
}

// Quarantine is a published promotion that this replica cannot compile. Its last good revision stays in force if there is one, else it is absent.
type Quarantine struct {
	Promotion string  `json:"promotion"`
	Revision  int     `json:"revision"`
	KeptOld   int     `json:"keptRevision,omitempty"` // the revision that stays in force, 0 when none does
	Issues    []Issue `json:"issues"`
}

// Placement returns the table of a placement, and false for one that is not declared.
func (rs *Ruleset) Placement(id int32) (*PlacementTable, bool) {
	i, ok := rs.placements[id]
	if !ok {
		return nil, false
	}
	return &rs.Placements[i], true
}

// Promotion returns a compiled promotion by id.
func (rs *Ruleset) Promotion(id string) (*Compiled, bool) {
	return rs.Promotions.Find(id)
}

// ContextSlot returns the slot and type of a declared request attribute.
func (rs *Ruleset) ContextSlot(name string) (slot int, typ profile.Type, ok bool) {
	slot, ok = rs.context[name]
	if !ok {
		return 0, profile.Type{}, false
	}
	return slot, rs.Context[slot].Type, true
}

// Targets reports whether the promotion is for the channel.
func (c *Compiled) Targets(channel string) bool { return slices.Contains(c.Channels, channel) }
