package server

import (
	"hash/maphash"
	"sync/atomic"
)

// emailSlots bounds how many addresses are remembered.
const emailSlots = 1 << 14

// emails remembers which user had an address when the store was asked last. It only hints: who uses it must see for himself. Safe for
// concurrent use; takes no lock, and its memory is bounded.
type emails struct {
	seed  maphash.Seed
	slots []atomic.Pointer[emailHint]
}

type emailHint struct{ project, email, user string }

func newEmails() *emails {
	return &emails{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[emailHint], emailSlots)}
}

func (e *emails) slot(project, email string) *atomic.Pointer[emailHint] {
	var h maphash.Hash
	h.SetSeed(e.seed)
	_, _ = h.WriteString(project)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(email)
	return &e.slots[h.Sum64()%emailSlots]
}

func (e *emails) get(project, email string) (string, bool) {
	hint := e.slot(project, email).Load()
	if hint == nil || hint.project != project || hint.email != email {
		return "", false
	}
	return hint.user, true
}

// put keeps its arguments.
func (e *emails) put(project, email, user string) {
	e.slot(project, email).Store(&emailHint{project: project, email: email, user: user})
}
