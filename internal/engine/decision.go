package engine

import "eligibility/internal/rules"

// Request is one question about one user. Its slices may be reused by the caller after Decide returned.
type Request struct {
	// Now is the instant to decide for, in wall nanoseconds: at least the snapshot's AsOf, so that an acknowledged event always counts.
	Now        int64
	Placements []int32              // nil: every placement of the project; an undeclared one is answered empty
	Limit      int                  // at most this many messages a placement; 0: the placement's own limit
	Channel    string               // what `channel` is in rules; "embedded" for in-app requests
	Context    []rules.ContextValue // by slot of the ruleset's context fields; shorter is fine
	Explain    bool                 // fill Decision.Rejected
}

// Decision is the ranked eligible messages for a request. Reuse one: Decide overwrites it and allocates only to grow it.
type Decision struct {
	RulesVersion uint64
	Placements   []Placement
	Rejected     []Rejection // with Request.Explain: every promotion that is not shown, by placement
	// ValidUntil is the first instant, in wall nanoseconds, at which passing time alone could change the decision; rules.Forever when none can.
	ValidUntil int64
	// Errors counts rules that could not be evaluated for this user (a missing attribute and the like), of those that were looked at: the index passes over most
	// rules that read what a user does not have.
	Errors int

	messages []*rules.Candidate // of all placements, one after the other
	ends     []int              // where each placement ends in messages
	input    rules.Input
	scratch  rules.Scratch
}

// Placement is the answer for one placement.
type Placement struct {
	ID       int32
	Messages []*rules.Candidate // of the ruleset, first to be shown first
}

// Rejection says why a promotion is not shown in a placement.
type Rejection struct {
	Promotion string
	Placement int32
	Reason    rules.Reason
	Detail    string // the sub-expression that decided, the attribute that is missing, …
}

// Outcome is the answer for one promotion on one channel, without ranking.
type Outcome struct {
	Eligible   bool
	Reason     rules.Reason
	Detail     string
	ValidUntil int64        // as Decision.ValidUntil
	Warning    rules.Reason // of an eligible user: what may still keep the message from arriving; "" for nothing known
}
