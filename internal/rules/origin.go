package rules

import (
	"errors"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
)

// origin is where the programs of a rule's typed literals come from. Such a program only says what went wrong, and most are never asked for; the tree that they are planned
// from is many times larger than everything else of a rule. So a rule in force keeps neither, and its text is read again when the first explanation asks. Safe for concurrent use.
type origin struct {
	env       *env
	source    string
	retention time.Duration

	mu    sync.Mutex
	atoms map[int32]*atom // guarded by mu; by ordinal, those that were asked for
}

var errReread = errors.New("the rule does not read as it did before")

// program is that of the rule's literal of the ordinal.
func (o *origin) program(ordinal int32) (cel.Program, error) {
	o.mu.Lock()
	found := o.atoms[ordinal]
	if found == nil {
		if o.atoms == nil {
			o.atoms = make(map[int32]*atom)
		}
		found = &atom{make: func() (cel.Program, error) { return o.plan(ordinal) }}
		o.atoms[ordinal] = found
	}
	o.mu.Unlock()
	return found.planned()
}

func (o *origin) plan(ordinal int32) (cel.Program, error) {
	checked := o.env.reread(o.source, checkLimits{retention: o.retention})
	if checked == nil {
		return nil, errReread
	}
	again, _, err := buildFrom(o.source, o.env, checked, o.retention)
	if err != nil {
		return nil, err
	}
	for lit, expr := range again.exprs {
		if lit.ordinal == ordinal {
			return o.env.subProgram(checked, expr)
		}
	}
	return nil, errReread
}
