package cache

import "sync/atomic"

// MemoSlots is how many computed answers are kept for one snapshot.
const MemoSlots = 4

// Memo is the place in an entry where the decision plane keeps answers that it computed from the entry's snapshot (law L5). The cache
// never looks inside: what is stored must carry all that its reuse depends on (ruleset, request class, validity) and be immutable. All
// values must be of one concrete type, as atomic.Value demands. What the values hold is paid for by the allowance Config.MemoBytes of
// each entry, which the caller must keep to. Safe for concurrent use.
type Memo struct {
	next  atomic.Uint32
	slots [MemoSlots]atomic.Value
}

// Load returns what slot i holds, or nil.
func (m *Memo) Load(i int) any { return m.slots[i].Load() }

// Store puts v into slot i.
func (m *Memo) Store(i int, v any) { m.slots[i].Store(v) }

// Add puts v into the slot that was filled longest ago.
func (m *Memo) Add(v any) { m.slots[(m.next.Add(1)-1)%MemoSlots].Store(v) }
