package profile

import (
	"math"
	"reflect"
	"slices"
	"sync/atomic"

	"eligibility/internal/hlc"
)

// Snapshot is everything known about one user at AsOf. It is immutable and safe for concurrent use. Values sit in typed slots of the Schema
// it was built with; reads of slots that this schema did not have yet say Absent.
//
// Layout: one 64-bit word for each scalar (a string is offset and length in text, a list or map a range of items), so that a user with
// 40 attributes and 50 events of three properties fits in about four kilobytes.
type Snapshot struct {
	Key           Key
	AsOf          hlc.Timestamp
	SchemaVersion uint64
	Found         bool // a profile row exists
	Broken        bool // the stored row is not readable as JSON; every attribute is Invalid
	Devices       int8 // devices of the user that take pushes: a token, and not disabled
	// Derived is what a reader of snapshots makes of this one and wants to find again: a cache, which says nothing that the snapshot does not. It is always of one type.
	Derived atomic.Value

	states []State
	cells  []uint64
	items  []uint64
	text   string
	runs   []run
	times  []int64
	props  []uint64
}

// run is the events of one type: n of them from index first in times, oldest first. Their properties start at props[base], stride words
// an event: a presence mask and then one word for each property.
type run struct {
	slot     int32
	n, first int32
	base     int32
	stride   int32
	since    int64 // wall nanoseconds; complete from there on
}

var (
	snapshotBytes = int64(reflect.TypeFor[Snapshot]().Size())
	runBytes      = int64(reflect.TypeFor[run]().Size())
)

// SizeBytes is what the snapshot holds in memory: the cost that the cache counts.
func (s *Snapshot) SizeBytes() int64 {
	words := cap(s.cells) + cap(s.items) + cap(s.times) + cap(s.props)
	return snapshotBytes + int64(words*8+len(s.text)+cap(s.states)) + int64(cap(s.runs))*runBytes + int64(len(s.Key.Project)+len(s.Key.User))
}

// State says what the slot holds.
func (s *Snapshot) State(slot int) State {
	if slot >= len(s.states) {
		if s.Broken {
			return Invalid
		}
		return Absent
	}
	return s.states[slot]
}

// Bool, Int, Double, String and Timestamp return the value of a slot of that kind whose State is Present; the caller has checked both. A
// timestamp is wall nanoseconds. The string shares the snapshot's memory.
func (s *Snapshot) Bool(slot int) bool       { return s.cells[slot] != 0 }
func (s *Snapshot) Int(slot int) int64       { return int64(s.cells[slot]) }
func (s *Snapshot) Double(slot int) float64  { return math.Float64frombits(s.cells[slot]) }
func (s *Snapshot) String(slot int) string   { return s.str(s.cells[slot]) }
func (s *Snapshot) Timestamp(slot int) int64 { return int64(s.cells[slot]) }
func (s *Snapshot) Values(slot int) Values   { return s.values(s.cells[slot]) }

// Values is a list, or the keys and values of a map, of one kind.
type Values struct {
	snap  *Snapshot
	words []uint64
}

func (s *Snapshot) values(bits uint64) Values {
	from, n := bits>>32, bits&math.MaxUint32
	return Values{snap: s, words: s.items[from : from+n]}
}

// Len is the number of words: elements of a list, twice the entries of a map (key, value, key, value, by ascending key).
func (v Values) Len() int              { return len(v.words) }
func (v Values) Bool(i int) bool       { return v.words[i] != 0 }
func (v Values) Int(i int) int64       { return int64(v.words[i]) }
func (v Values) Double(i int) float64  { return math.Float64frombits(v.words[i]) }
func (v Values) String(i int) string   { return v.snap.str(v.words[i]) }
func (v Values) Timestamp(i int) int64 { return int64(v.words[i]) }

func (s *Snapshot) str(bits uint64) string {
	from, n := bits>>32, bits&math.MaxUint32
	return s.text[from : from+n]
}

// Events is the events of one type, oldest first.
type Events struct {
	snap *Snapshot
	run  *run
}

// Events returns the events of the type at slot; a type without events, or unknown when the snapshot was built, has none.
func (s *Snapshot) Events(slot int) Events {
	low, high := 0, len(s.runs)
	for low < high {
		if middle := (low + high) / 2; s.runs[middle].slot < int32(slot) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == len(s.runs) || s.runs[low].slot != int32(slot) {
		return Events{snap: s}
	}
	return Events{snap: s, run: &s.runs[low]}
}

// Len is the number of events.
func (e Events) Len() int {
	if e.run == nil {
		return 0
	}
	return int(e.run.n)
}

// Since is the wall time in nanoseconds from which on the list is complete: 0 when nothing was cut but by retention.
func (e Events) Since() int64 {
	if e.run == nil {
		return 0
	}
	return e.run.since
}

// Times is the wall nanoseconds of every event, ascending. It must not be written.
func (e Events) Times() []int64 {
	if e.run == nil {
		return nil
	}
	return e.snap.times[e.run.first : e.run.first+e.run.n]
}

// Has reports whether event i has the property.
func (e Events) Has(i, prop int) bool {
	return prop < int(e.run.stride)-1 && e.snap.props[e.word(i)]&(1<<prop) != 0
}

// Bool, Int, Double, String and Timestamp return a property that Has reported, of that kind.
func (e Events) Bool(i, prop int) bool { return e.snap.props[e.word(i)+1+prop] != 0 }
func (e Events) Int(i, prop int) int64 { return int64(e.snap.props[e.word(i)+1+prop]) }
func (e Events) Double(i, prop int) float64 {
	return math.Float64frombits(e.snap.props[e.word(i)+1+prop])
}
func (e Events) String(i, prop int) string   { return e.snap.str(e.snap.props[e.word(i)+1+prop]) }
func (e Events) Timestamp(i, prop int) int64 { return int64(e.snap.props[e.word(i)+1+prop]) }

func (e Events) word(i int) int { return int(e.run.base) + i*int(e.run.stride) }

// Window returns the indices [from, to) of the events in (now-w, now], all in wall nanoseconds.
func (e Events) Window(now, w int64) (from, to int) {
	times := e.Times()
	from, _ = slices.BinarySearch(times, now-w+1)
	to, _ = slices.BinarySearch(times, now+1)
	return from, max(from, to)
}
