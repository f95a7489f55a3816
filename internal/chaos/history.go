package chaos

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// History is what clients wrote and read, each user's value being a register of its own. Safe for concurrent use.
type History struct {
	start time.Time

	mu  sync.Mutex
	ops []op // guarded by mu
}

// op is one call. Times are nanoseconds since the start of the history.
type op struct {
	client    int
	key       string
	write     bool
	value     int
	reach     bool // of a read: it asked whether the value is at least so much
	reached   bool
	call, ret int64
	floor     int64 // of a read: what was acknowledged before this instant must be in it, whatever the bound
	bound     time.Duration
}

// forever is when a write ends of which nobody knows whether it happened: any time from its call on, or never.
const forever = math.MaxInt64

// NewHistory begins one now.
func NewHistory() *History { return &History{start: time.Now()} }

// Now is the instant to give Wrote and Read for a call that begins.
func (h *History) Now() int64 { return int64(time.Since(h.start)) }

// Wrote notes a write. known is false when its client cannot tell whether it happened: an error, a time-out, a process that died.
func (h *History) Wrote(client int, key string, value int, call int64, known bool) {
	ret := int64(forever)
	if known {
		ret = h.Now()
	}
	h.add(op{client: client, key: key, write: true, value: value, call: call, ret: ret})
}

// Read notes an answer that was not degraded, and that claims to be no older than bound when it was given. floor is the instant at which a write was acknowledged
// whose stamp the reader demanded, 0 when it demanded none.
func (h *History) Read(client int, key string, value int, call, floor int64, bound time.Duration) {
	h.add(op{client: client, key: key, value: value, call: call, ret: h.Now(), floor: floor, bound: bound})
}

// Reached notes an answer to whether the value is at least n, under the same terms as Read.
func (h *History) Reached(client int, key string, n int, is bool, call, floor int64, bound time.Duration) {
	h.add(op{client: client, key: key, value: n, reach: true, reached: is, call: call, ret: h.Now(), floor: floor, bound: bound})
}

func (h *History) add(o op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, o)
}

// Counts is how many reads, acknowledged writes and writes of unknown fate there are.
func (h *History) Counts() (reads, writes, unknown int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.ops {
		switch o := &h.ops[i]; {
		case !o.write:
			reads++
		case o.ret == forever:
			unknown++
		default:
			writes++
		}
	}
	return reads, writes, unknown
}

// Tell lists the calls of a user by their beginnings, one on a line.
func (h *History) Tell(key string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var of []op
	for i := range h.ops {
		if h.ops[i].key == key {
			of = append(of, h.ops[i])
		}
	}
	slices.SortFunc(of, func(a, b op) int { return cmp.Compare(a.call, b.call) })
	var text strings.Builder
	for _, o := range of {
		what, ret := "read", time.Duration(o.ret).String()
		if o.write {
			what = "wrote"
		}
		if o.ret == forever {
			ret = "unknown"
		}
		fmt.Fprintf(&text, "%v to %s: client %d %s %d, demanded %v\n", time.Duration(o.call), ret, o.client, what, o.value, time.Duration(o.floor))
	}
	return text.String()
}

// Verdict of a history.
type Verdict struct {
	Legal   bool
	Decided bool // false when the search took longer than it was given
	// Key is the user whose calls have no legal order, when that was found without a search.
	Key     string
	info    porcupine.LinearizationInfo
	history *History // of a verdict that needed no search: one is made to be drawn
}

// decide applies consistent to every key; decided is false when some key is beyond it. wrong is the key without a legal order.
func (h *History) decide() (wrong string, legal, decided bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys, once := make(map[string][]op), make(map[written]bool)
	for _, o := range h.ops {
		switch {
		case o.reach:
			return "", false, false
		case o.write && (o.value == 0 || once[written{o.key, o.value}]):
			return "", false, false
		case o.write:
			once[written{o.key, o.value}] = true
		default:
			o.call = max(o.call-int64(o.bound), o.floor+1) // as in operations
			o.ret = max(o.ret, o.call)
		}
		keys[o.key] = append(keys[o.key], o)
	}
	for key, ops := range keys {
		read := make(map[int]bool)
		for i := range ops {
			read[ops[i].value] = read[ops[i].value] || !ops[i].write
		}
		// A write of unknown fate that nobody read may as well not have happened.
		ops = slices.DeleteFunc(ops, func(o op) bool { return o.write && o.ret == forever && !read[o.value] })
		if !consistent(ops) {
			return key, false, true
		}
	}
	return "", true, true
}

// Judge asks whether there is an order of the calls in which every read returns the value of the last write before it, where a read with a bound may have taken
// place that long before it was called. That is what "never older than the bound" means: bounded staleness of a register is linearizability of a history in
// which the reads begin earlier.
//
// Where each value of a key was written once, and was read as a value, the question is decided exactly and at once; else an order is searched for, for as long as
// patience allows.
func (h *History) Judge(patience time.Duration) Verdict {
	if wrong, legal, decided := h.decide(); decided {
		return Verdict{Legal: legal, Decided: true, Key: wrong, history: h}
	}
	result, info := porcupine.CheckOperationsVerbose(register, h.operations(), patience)
	return Verdict{Legal: result == porcupine.Ok, Decided: result != porcupine.Unknown, info: info}
}

func (h *History) operations() []porcupine.Operation {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]porcupine.Operation, 0, len(h.ops))
	settled := h.settled()
	for i := range h.ops {
		o := &h.ops[i]
		if o.write && o.ret == forever {
			ret, seen := settled[written{o.key, o.value}]
			if !seen {
				continue
			}
			o = &op{client: o.client, key: o.key, write: true, value: o.value, call: o.call, ret: max(ret, o.call)}
		}
		call := o.call
		if !o.write {
			call = max(o.call-int64(o.bound), o.floor+1) // after the acknowledgement, not at it
		}
		all = append(all, porcupine.Operation{
			// Earlier beginnings make the calls of one client overlap, which the search does not care about.
			ClientId: o.client, Input: input{o.key, o.write, o.reach, o.value}, Output: output{o.value, o.reached}, Call: call, Return: max(call, o.ret),
		})
	}
	return all
}

// written is a value of a key.
type written struct {
	key   string
	value int
}

// settled is when the writes of unknown fate happened at the latest: before the first read that saw their value ended. One that nobody saw is left out, for an
// order without it is as legal. Neither changes the verdict, and without them the search would try each such write everywhere. A value that is written more
// than once stays open. The caller holds mu.
func (h *History) settled() map[written]int64 {
	times, at := make(map[written]int), make(map[written]int64)
	for i := range h.ops {
		o := &h.ops[i]
		w := written{o.key, o.value}
		if o.write {
			times[w]++
		} else if first, seen := at[w]; !seen || o.ret < first {
			at[w] = o.ret
		}
	}
	for w, n := range times {
		if n > 1 {
			at[w] = forever
		}
	}
	return at
}

// Draw writes the history as a page that shows the calls on a time line, with the longest legal orders that were found.
func (v Verdict) Draw(w io.Writer) error {
	if v.history != nil {
		_, v.info = porcupine.CheckOperationsVerbose(register, v.history.operations(), drawing)
	}
	return porcupine.Visualize(register, v.info, w)
}

// drawing is how long an order is searched for that is only drawn.
const drawing = 10 * time.Second

type input struct {
	key          string
	write, reach bool
	value        int
}

type output struct {
	value   int
	reached bool
}

// register is one user's value, 0 before the first write.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		of := make(map[string][]porcupine.Operation)
		for _, o := range history {
			key := o.Input.(input).key
			of[key] = append(of[key], o)
		}
		all := make([][]porcupine.Operation, 0, len(of))
		for _, ops := range of {
			all = append(all, ops)
		}
		return all
	},
	Init: func() any { return 0 },
	Step: func(state, in, out any) (bool, any) {
		i, o := in.(input), out.(output)
		switch {
		case i.write:
			return true, i.value
		case i.reach:
			return o.reached == (state.(int) >= i.value), state
		}
		return o.value == state.(int), state
	},
	DescribeOperation: func(in, out any) string {
		i, o := in.(input), out.(output)
		switch {
		case i.write:
			return fmt.Sprintf("%s := %d", i.key, i.value)
		case i.reach:
			return fmt.Sprintf("%s >= %d: %v", i.key, i.value, o.reached)
		}
		return fmt.Sprintf("%s is %d", i.key, o.value)
	},
}
