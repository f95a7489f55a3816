package rules

import (
	"hash/maphash"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
)

// atom is the program of a literal. What typed evaluation does not understand is interpreted in decisions; rules of one environment that say the same share one
// atom, so that a decision asks it once. Of a typed literal the program is only there to say what went wrong, and is planned when first asked.
type atom struct {
	hash  uint32 // spreads atoms over a Scratch
	needs []int  // the attributes without which it fails, as far as that is easily told
	once  sync.Once
	make  func() (cel.Program, error) // nil once it was called
	// program and err are read after once.
	program cel.Program
	err     error
}

// planned is the program. Safe for concurrent use.
func (a *atom) planned() (cel.Program, error) {
	a.once.Do(func() { a.program, a.err = a.make(); a.make = nil })
	return a.program, a.err
}

// maxAtoms bounds the atoms that an environment remembers; when there are more, it begins anew, and rules compiled later share less with those before.
const maxAtoms = 1 << 14

// atomTable is the atoms of one environment by their text. Safe for concurrent use.
type atomTable struct {
	seed maphash.Seed
	mu   sync.Mutex
	seen map[string]*atom // guarded by mu
}

func newAtomTable() *atomTable {
	return &atomTable{seed: maphash.MakeSeed(), seen: make(map[string]*atom)}
}

// share returns the atom of the text, which is made when nobody had it yet. A text that could not be printed is shared with nobody.
func (a *atomTable) share(text string, needs []int, plan func() (cel.Program, error)) *atom {
	if text == "" {
		return &atom{needs: needs, make: plan}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if found := a.seen[text]; found != nil {
		return found
	}
	if len(a.seen) >= maxAtoms {
		clear(a.seen)
	}
	made := &atom{hash: uint32(maphash.String(a.seed, text)), needs: needs, make: plan}
	a.seen[strings.Clone(text)] = made // it may be part of the text of a whole rule
	return made
}
