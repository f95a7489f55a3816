package sim

import (
	"fmt"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// Options are what many histories share.
type Options struct {
	// Rulesets are what is published.
	Rulesets *Rulesets
	// Decide answers from a read at a time, in wall nanoseconds, as the product does: it may keep what it answered in the read's Memo. What it
	// returns must be equal for equal decisions. It is called by several goroutines at once. Nil: the engine each time.
	Decide func(rs *rules.Ruleset, read *cache.Read, now int64) string
	// Trace has Run tell what happened.
	Trace bool

	seed  maphash.Seed  // of the slot hash, such that no two users share a slot
	bound time.Duration // staleness bound of the caches
}

// NewOptions compiles the rulesets and draws the rest.
func NewOptions() (*Options, error) {
	rulesets, err := NewRulesets()
	if err != nil {
		return nil, err
	}
	o := &Options{Rulesets: rulesets, seed: maphash.MakeSeed(), bound: bound}
	for parts := (cache.Parts{Seed: o.seed}); !parts.Apart(apartSlots, append(users(maxUsers), profile.Key{Project: project})); {
		o.seed = maphash.MakeSeed()
		parts.Seed = o.seed
	}
	return o, nil
}

// Outcome is what became of one history.
type Outcome struct {
	Wrong []string // what must not be, in order
	Trace []string // with Options.Trace: one line for each step
	Tally Tally
}

// history is one run of a schedule.
type history struct {
	options *Options
	seed    uint64
	rng     *rand.Rand
	plan    plan
	logger  *slog.Logger
	step    atomic.Uint64

	w        *world
	gates    gates
	held     tenure
	replicas []*replica
	relayers []*relayer
	users    []profile.Key
	sessions [2]session
	readers  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	wrong []string
	notes []string // of this step
	trace []string
	saw   []answer
	tally Tally
}

// session is a reader who demands never to go back in time.
type session struct {
	busy  bool
	token hlc.Timestamp
}

const maxUsers = 4

func users(n int) []profile.Key {
	all := make([]profile.Key, n)
	for i := range all {
		all[i] = profile.Key{Project: project, User: string(rune('a' + i))}
	}
	return all
}

// Run plays the history of the seed. Equal seeds give equal histories.
func Run(t *testing.T, seed uint64, options *Options) *Outcome {
	h := &history{options: options, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), logger: slog.New(slog.DiscardHandler)}
	h.plan = drawPlan(h.rng)
	h.users = users(h.plan.users)
	synctest.Test(t, func(t *testing.T) {
		if err := h.begin(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		acts := h.acts()
		for range h.plan.steps {
			h.step.Add(1)
			h.act(acts)
			h.settle()
		}
		h.rest()
		h.end()
	})
	return &Outcome{Wrong: h.wrong, Trace: h.trace, Tally: h.tally}
}

// begin starts the replicas and two relays, one of which leads.
func (h *history) begin() error {
	h.gates.open = true
	h.w = newWorld(h.options.Rulesets)
	for range h.plan.replicas {
		if _, err := h.newReplica(); err != nil {
			return fmt.Errorf("start a replica: %w", err)
		}
	}
	for range 2 {
		if _, err := h.newRelayer(); err != nil {
			return fmt.Errorf("start a relay: %w", err)
		}
		h.settle()
	}
	h.pass(3 * feedPause)
	h.drain()
	h.gates.shut()
	h.pass(feedPause + feedPause/2) // what passed through the open gates comes back
	h.settle()
	h.notef("%+v", h.plan)
	h.settle()
	return nil
}

// settleTime keeps apart what happens in different steps.
const settleTime = time.Microsecond

// settle lets everybody come to where he waits for the schedule.
func (h *history) settle() {
	h.pass(settleTime)
	for _, r := range h.replicas {
		if !r.attached.IsZero() {
			h.w.with(func() { r.toldUpTo(r.attached) })
			r.attached = hlc.Timestamp{}
		}
	}
	if !h.options.Trace {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.notes) > 0 {
		slices.Sort(h.notes) // they may have come in any order
		h.trace = append(h.trace, fmt.Sprintf("%4d %9v  %s", h.step.Load(), h.w.elapsed().Round(time.Microsecond), strings.Join(h.notes, "; ")))
	}
	h.notes = h.notes[:0]
}

// pass lets time pass until everybody waits again. What the schedule has read without a lock lies before what others write then.
func (h *history) pass(d time.Duration) {
	h.mu.Lock()
	h.w.with(func() {})
	h.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
}

// notef adds to the trace.
func (h *history) notef(format string, args ...any) {
	if h.options.Trace {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.notes = append(h.notes, fmt.Sprintf(format, args...))
	}
}

// fault notes what must not be.
func (h *history) fault(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	h.wrong = append(h.wrong, fmt.Sprintf("step %d: %s", h.step.Load(), text))
	h.notes = append(h.notes, "WRONG: "+text)
}

// end stops everything and waits for it.
func (h *history) end() {
	for _, r := range h.replicas {
		r.stop()
	}
	for _, r := range h.relayers {
		r.stop()
	}
	for _, r := range h.relayers {
		<-r.over
	}
	h.readers.Wait()
}
