package rules

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Live holds the ruleset in force of every project. Load is one atomic read of an immutable map and one of a pointer; a swap never
// makes a reader wait. The zero value is ready to use.
type Live struct {
	projects atomic.Pointer[map[string]*liveProject]
	mu       sync.Mutex // serialises writers of projects
	start    sync.Once
	epoch    time.Time // what checkedAt counts from
}

type liveProject struct {
	ruleset   atomic.Pointer[Ruleset]
	checkedAt atomic.Int64 // nanoseconds since epoch of the last proof that the ruleset is the store's newest
}

// FreshFor is how long a ruleset counts as the newest after the last successful comparison with the store.
const FreshFor = 15 * time.Second

// Load returns the project's ruleset, or nil while none is loaded.
func (l *Live) Load(project string) *Ruleset {
	if p := l.project(project); p != nil {
		return p.ruleset.Load()
	}
	return nil
}

// LoadAt is Load, and whether the ruleset was proven to be the newest within FreshFor of at, a time.Now of this process.
func (l *Live) LoadAt(project string, at time.Time) (rs *Ruleset, fresh bool) {
	p := l.project(project)
	if p == nil {
		return nil, false
	}
	return p.ruleset.Load(), l.since(at)-p.checkedAt.Load() <= int64(FreshFor)
}

// Swap puts rs into force unless the one in force is of the same or a newer version; it reports whether it did.
func (l *Live) Swap(rs *Ruleset) bool {
	p := l.ensure(rs.Project)
	for {
		old := p.ruleset.Load()
		if old != nil && old.Version >= rs.Version {
			return false
		}
		if p.ruleset.CompareAndSwap(old, rs) {
			return true
		}
	}
}

// Checked notes that the project's ruleset was just compared with the store and is the newest.
func (l *Live) Checked(project string) { l.ensure(project).checkedAt.Store(l.now()) }

// Fresh reports whether the project's ruleset was proven to be the newest within FreshFor.
func (l *Live) Fresh(project string) bool {
	p := l.project(project)
	return p != nil && l.now()-p.checkedAt.Load() <= int64(FreshFor)
}

// Projects lists the rulesets in force, in no order.
func (l *Live) Projects() []*Ruleset {
	m := l.projects.Load()
	if m == nil {
		return nil
	}
	out := make([]*Ruleset, 0, len(*m))
	for _, p := range *m {
		if rs := p.ruleset.Load(); rs != nil {
			out = append(out, rs)
		}
	}
	return out
}

func (l *Live) project(name string) *liveProject {
	m := l.projects.Load()
	if m == nil {
		return nil
	}
	return (*m)[name]
}

func (l *Live) ensure(name string) *liveProject {
	if p := l.project(name); p != nil {
		return p
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	next := make(map[string]*liveProject)
	if m := l.projects.Load(); m != nil {
		if p := (*m)[name]; p != nil {
			return p
		}
		maps.Copy(next, *m)
	}
	p := &liveProject{}
	p.checkedAt.Store(l.now())
	next[name] = p
	l.projects.Store(&next)
	return p
}

// now is monotonic time since the first use.
func (l *Live) now() int64 { return l.since(time.Now()) }

// since is monotonic time from the first use until at.
func (l *Live) since(at time.Time) int64 {
	l.start.Do(func() { l.epoch = at })
	return int64(at.Sub(l.epoch))
}
