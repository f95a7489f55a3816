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
// Layout: two arrays. words has a 64-bit word for each slot (a string is offset and length of a text, a list or map a range of items), then the items, then the times
// of all events. data has a byte for the State of each slot, then the texts, each once, then the packed properties of events (record.go). A user with
// 40 attributes and 50 events of three properties takes about two kilobytes.
type Snapshot struct {
	Key           Key
	AsOf          hlc.Timestamp
	SchemaVersion uint64
	Found         bool // a profile row exists
	Broken        bool // the stored row is not readable as JSON; every attribute is Invalid
	Partial       bool // it lacks what a Projection left out: good for the question that it was read for, and for nothing else
	Devices       int8 // devices of the user that take pushes: a token, and not disabled
	// Derived is what a reader of snapshots makes of this one and wants to find again: a cache, which says nothing that the snapshot does not. It is always of one type.
	Derived atomic.Value

	slots int32 // how many of them it has
	words []int64
	data  string
	runs  []run // ascending by slot
}

// run is the events of one type: n of them, oldest first. Their times begin at words[first], the layout of their properties at data[layout] and their
// records, of stride bytes each, at data[records].
type run struct {
	slot, n, first  int32
	layout, records int32
	properties      uint16
	stride          uint16
	since           int64 // wall nanoseconds; complete from there on
}

var (
	snapshotBytes = int64(reflect.TypeFor[Snapshot]().Size())
	runBytes      = int64(reflect.TypeFor[run]().Size())
)

// SizeBytes is what the snapshot holds in memory: the cost that the cache counts.
func (s *Snapshot) SizeBytes() int64 {
	return snapshotBytes + int64(cap(s.words)*8+len(s.data)) + int64(cap(s.runs))*runBytes + int64(len(s.Key.Project)+len(s.Key.User))
}

// State says what the slot holds.
func (s *Snapshot) State(slot int) State {
	if slot >= int(s.slots) {
		if s.Broken {
			return Invalid
		}
		return Absent
	}
	return State(s.data[slot])
}

// Bool, Int, Double, String and Timestamp return the value of a slot of that kind whose State is Present; the caller has checked both. A
// timestamp is wall nanoseconds. The string shares the snapshot's memory.
func (s *Snapshot) Bool(slot int) bool       { return s.words[slot] != 0 }
func (s *Snapshot) Int(slot int) int64       { return s.words[slot] }
func (s *Snapshot) Double(slot int) float64  { return math.Float64frombits(uint64(s.words[slot])) }
func (s *Snapshot) String(slot int) string   { return s.str(uint64(s.words[slot])) }
func (s *Snapshot) Timestamp(slot int) int64 { return s.words[slot] }
func (s *Snapshot) Values(slot int) Values   { return s.values(uint64(s.words[slot])) }

// Values is a list, or the keys and values of a map, of one kind.
type Values struct {
	snap  *Snapshot
	words []int64
}

func (s *Snapshot) values(bits uint64) Values {
	from, n := bits>>32, bits&math.MaxUint32
	from += uint64(s.slots)
	return Values{snap: s, words: s.words[from : from+n]}
}

// Len is the number of words: elements of a list, twice the entries of a map (key, value, key, value, by ascending key).
func (v Values) Len() int              { return len(v.words) }
func (v Values) Bool(i int) bool       { return v.words[i] != 0 }
func (v Values) Int(i int) int64       { return v.words[i] }
func (v Values) Double(i int) float64  { return math.Float64frombits(uint64(v.words[i])) }
func (v Values) String(i int) string   { return v.snap.str(uint64(v.words[i])) }
func (v Values) Timestamp(i int) int64 { return v.words[i] }

func (s *Snapshot) str(bits uint64) string {
	from, n := bits>>32+uint64(s.slots), bits&math.MaxUint32
	return s.data[from : from+n]
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
	return e.snap.words[e.run.first : e.run.first+e.run.n]
}

// Window returns the indices [from, to) of the events in (now-w, now], all in wall nanoseconds.
func (e Events) Window(now, w int64) (from, to int) {
	times := e.Times()
	from, _ = slices.BinarySearch(times, now-w+1)
	to, _ = slices.BinarySearch(times, now+1)
	return from, max(from, to)
}
