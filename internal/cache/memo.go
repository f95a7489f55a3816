package cache

import "sync/atomic"

// MemoSlots is how many computed answers are kept for one snapshot.
const MemoSlots = 4

// Memo is the place in an entry where the decision plane keeps answers that it computed from the entry's snapshot (law L5). The cache
// never looks inside: what is stored must carry all that its reuse depends on (ruleset, request class, validity) and be immutable. All
// values must be of one concrete type, as atomic.Value demands. What the values hold is paid for by the allowance Config.MemoBytes of
// each entry, which the caller must keep to. Safe for concurrent use.
//
// Most entries hold one answer or none: the places of the others are made when the first of them is filled.
type Memo struct {
	first atomic.Value
	more  atomic.Pointer[[MemoSlots - 1]atomic.Value]
}

// Load returns what slot i holds, or nil.
func (m *Memo) Load(i int) any {
	if i == 0 {
		return m.first.Load()
	}
	more := m.more.Load()
	if more == nil {
		return nil
	}
	return more[i-1].Load()
}

// Store puts v into slot i.
func (m *Memo) Store(i int, v any) {
	if i == 0 {
		m.first.Store(v)
		return
	}
	more := m.more.Load()
	for more == nil {
		m.more.CompareAndSwap(nil, new([MemoSlots - 1]atomic.Value))
		more = m.more.Load()
	}
	more[i-1].Store(v)
}
