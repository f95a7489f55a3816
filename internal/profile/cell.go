package profile

import "math"

// A cell is a tag and what is left of its bits: of a small number the number, else where the value is in the data. A text is always elsewhere, and so is a list
// or map: its length, then a cell for each of its values. The tag says all that a reader must know: he gets the same bits whatever kind he takes the slot for.
//
// Many doubles are decimals of few places and most timestamps whole seconds: they are kept as whole numbers, which are narrow, where dividing or multiplying gives back
// the same bits.
const (
	tagAbsent      = iota
	tagHere        // a whole number in the cell; a text, list or map at the place that the cell has
	tagInvalid     // as the State
	tagNarrow      // a whole number in four bytes
	tagWide        // eight bytes: a whole number, or a double as IEEE 754
	tagSeconds     // a timestamp of whole seconds in four bytes
	tagCents       // a double of whole hundredths in the cell
	tagNarrowCents // the same in four bytes
	tags           = 8
	tagBits        = 3
)

var tagStates = [tags]State{
	tagInvalid: Invalid, tagHere: Present, tagNarrow: Present, tagWide: Present, tagSeconds: Present, tagCents: Present, tagNarrowCents: Present,
}

const (
	shortCell = 16
	longCell  = 32
	maxPlace  = 1 << (shortCell - tagBits) // of short cells
)

const (
	hundredths = 100
	seconds    = 1_000_000_000
)

// bits is the value of a cell: a whole number, or a double as IEEE 754.
func (s *Snapshot) bits(cell uint32) uint64 {
	switch cell % tags {
	case tagHere:
		return uint64(s.small(cell))
	case tagNarrow:
		return uint64(s.narrow(cell))
	case tagSeconds:
		return uint64(s.narrow(cell) * seconds)
	case tagCents:
		return math.Float64bits(float64(s.small(cell)) / hundredths)
	case tagNarrowCents:
		return math.Float64bits(float64(s.narrow(cell)) / hundredths)
	}
	return load64(s.data, int(cell/tags))
}

func (s *Snapshot) small(cell uint32) int64  { return signed(uint64(cell), uint(s.cell)) >> tagBits }
func (s *Snapshot) narrow(cell uint32) int64 { return int64(int32(load32(s.data, int(cell/tags)))) }

// number is a number on its way into a cell.
type number struct {
	n      int64 // what a cell or four bytes have, when they do
	wide   uint64
	here   uint8 // the tag when it is in the cell
	narrow uint8 // the tag when it is in four bytes
	need   uint8 // bits that a cell needs, without the tag; neverFits for what is never in one
	bytes  uint8 // elsewhere, when it is not in the cell
}

const (
	narrowBytes = 4
	wideBytes   = 8
	neverFits   = 64
)

// numberOf says how the value of a kind that is no String is kept.
func numberOf(kind Kind, bits uint64) number {
	v := number{n: int64(bits), wide: bits, here: tagHere, narrow: tagNarrow, bytes: narrowBytes}
	fits := true
	switch kind {
	case Double:
		v.here, v.narrow = tagCents, tagNarrowCents
		v.n, fits = decimal(math.Float64frombits(bits), hundredths)
	case Timestamp:
		v.n, v.narrow, fits = v.n/seconds, tagSeconds, v.n%seconds == 0
	}
	if !fits || v.n != int64(int32(v.n)) {
		v.need, v.bytes = neverFits, wideBytes
		return v
	}
	v.need = uint8(signedBits(v.n))
	if kind == Timestamp {
		v.need = neverFits
	}
	return v
}

// maxDecimal is where doubles begin to be further apart than one.
const maxDecimal = 1 << 53

// decimal is the whole number that, divided by scale, is f bit by bit.
func decimal(f, scale float64) (n int64, ok bool) {
	x := f * scale
	if !(math.Abs(x) < maxDecimal) { // NaN too
		return 0, false
	}
	n = int64(math.RoundToEven(x))
	return n, math.Float64bits(float64(n)/scale) == math.Float64bits(f)
}
