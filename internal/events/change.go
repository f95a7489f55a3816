package events

import "eligibility/internal/hlc"

// Table says what kind of row changed.
type Table uint8

// The tables whose changes are carried. The numbers are part of the bus's wire format: append only.
const (
	TableProfile   Table = iota + 1 // Key is the user id: the profile row or a user event of it changed
	TableEmail                      // Key is the lower-cased e-mail address
	TableRuleset                    // Key is empty: the project has a new ruleset version
	TableAccessKey                  // Key is the id of an API key; Project is its project
)

// Change says that a row changed at a database time. What it changed to is read again by whoever cares.
type Change struct {
	Table   Table
	Project string
	Key     string
	At      hlc.Timestamp
}

// Batch goes from the relay to the bus only.
//
// Seq is contiguous for each (Epoch, Partition), starting at 1; a relay leaves a number out on purpose when a change could not be
// carried. Base is the cursor that the epoch began from: every change after it is sent in this epoch. High is never below Base nor below
// any commit time that was sent for this partition so far in the epoch. Resolved, when not zero, promises that every change of this
// partition at or before it was sent in this or an earlier batch. A repeated batch (Seq not above the last one of the same epoch) raises
// floors and nothing else.
type Batch struct {
	Partition  uint16
	Epoch, Seq uint64
	Base, High hlc.Timestamp
	Changes    []Change
	Resolved   hlc.Timestamp
}

// Hint goes from the replica that committed a write to all replicas, outside the relay's stream: it has no sequence and may be lost. It
// raises floors, never the watermark.
type Hint struct {
	Changes []Change
}

// MaxBatchChanges bounds one batch.
const MaxBatchChanges = 512
