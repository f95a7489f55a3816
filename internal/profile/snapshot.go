package profile

import (
	"math"
	"reflect"
	"sync/atomic"

	"eligibility/internal/hlc"
)

// Snapshot is everything known about one user at AsOf. It is immutable and safe for concurrent use. Values sit in typed slots of the Schema
// it was built with; reads of slots that this schema did not have yet say Absent.
//
// All values are in one text of bytes, each in as few bits as it needs and where a read finds it at once (cell.go, events.go):
//
//	cells        one of each slot, two bytes or four: the value itself or where it is
//	texts        of events, then of attributes, each once
//	values       numbers that no cell has room for; lists and maps, as cells
//	runs         the events of each type
//	user id
//	directory    where the run of a slot is, ascending by slot
//	tail         the time that those of events are counted from, eight bytes, and how many runs there are, two
//
// A user with 40 attributes and 50 events of three properties takes little more than a kilobyte.
type Snapshot struct {
	Key           Key
	AsOf          hlc.Timestamp
	SchemaVersion uint64
	Found         bool  // a profile row exists
	Broken        bool  // the stored row is not readable as JSON; every attribute is Invalid
	Partial       bool  // it lacks what a Projection left out: good for the question that it was read for, and for nothing else
	Devices       int8  // devices of the user that take pushes: a token, and not disabled
	cell          uint8 // bits of a cell: 16, or 32 if places in the data need more
	slots         uint16
	// Derived is what a reader of snapshots makes of this one and wants to find again: a cache, which says nothing that the snapshot does not. It is always of one type.
	Derived atomic.Value

	data string
}

var snapshotBytes = int64(reflect.TypeFor[Snapshot]().Size())

// SizeBytes is what the snapshot holds in memory: the cost that the cache counts.
func (s *Snapshot) SizeBytes() int64 {
	return snapshotBytes + int64(len(s.data))
}

// State says what the slot holds.
func (s *Snapshot) State(slot int) State {
	if slot >= int(s.slots) {
		if s.Broken {
			return Invalid
		}
		return Absent
	}
	return tagStates[s.at(slot)%tags]
}

// at is the cell of a slot: never the last bytes of the data.
func (s *Snapshot) at(slot int) uint32 {
	return load32(s.data, slot*int(s.cell/8)) & (1<<s.cell - 1)
}

// Bool, Int, Double, String, Timestamp and Values return the value of a slot of that type whose State is Present; the caller has checked both. A
// timestamp is wall nanoseconds. The string shares the snapshot's memory.
func (s *Snapshot) Bool(slot int) bool       { return s.at(slot) >= tags }
func (s *Snapshot) Int(slot int) int64       { return int64(s.bits(s.at(slot))) }
func (s *Snapshot) Double(slot int) float64  { return math.Float64frombits(s.bits(s.at(slot))) }
func (s *Snapshot) String(slot int) string   { v, _ := s.Text(slot); return v }
func (s *Snapshot) Timestamp(slot int) int64 { return int64(s.bits(s.at(slot))) }

// Text is the value of a slot of kind String, and whether its State is Present: State and String in one.
func (s *Snapshot) Text(slot int) (value string, present bool) {
	if slot >= int(s.slots) {
		return "", false
	}
	cell := s.at(slot)
	if cell%tags != tagHere {
		return "", false
	}
	at := cell / tags
	if n := uint32(s.data[at]); n < longLength {
		return s.data[at+1 : at+1+n], true
	}
	return text(s.data, at), true
}

// Bits is the value of a slot of a kind that is no String, as 64 bits, of a Double those of IEEE 754, and whether its State is Present. A reader who compares bits need
// not know the kind.
func (s *Snapshot) Bits(slot int) (bits uint64, present bool) {
	if slot >= int(s.slots) {
		return 0, false
	}
	cell := s.at(slot)
	if tagStates[cell%tags] != Present {
		return 0, false
	}
	return s.bits(cell), true
}

// Values is described at Bool.
func (s *Snapshot) Values(slot int) Values {
	n, from := length(s.data, s.at(slot)/tags)
	return Values{snap: s, n: int32(n), from: int32(from)}
}

// Values is a list, or the keys and values of a map, of one kind.
type Values struct {
	snap *Snapshot
	n    int32
	from int32 // of its cells in the data
}

func (v Values) at(i int) uint32 {
	cell := v.snap.cell
	return load32(v.snap.data, int(v.from)+i*int(cell/8)) & (1<<cell - 1)
}

// Len is the number of values: elements of a list, twice the entries of a map (key, value, key, value, by ascending key).
func (v Values) Len() int              { return int(v.n) }
func (v Values) Bool(i int) bool       { return v.at(i) >= tags }
func (v Values) Int(i int) int64       { return int64(v.Bits(i)) }
func (v Values) Double(i int) float64  { return math.Float64frombits(v.Bits(i)) }
func (v Values) String(i int) string   { return text(v.snap.data, v.at(i)/tags) }
func (v Values) Timestamp(i int) int64 { return int64(v.Bits(i)) }

// Bits is value i of a kind that is no String, as Snapshot.Bits.
func (v Values) Bits(i int) uint64 { return v.snap.bits(v.at(i)) }
