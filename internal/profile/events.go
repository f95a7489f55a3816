package profile

import "math"

// The events of one type are a run: their times in a column of their own, oldest first, then a record of properties for each. All times of a run have the same width, and
// so has each property: as many bits as the widest of its values asks for. What is read is bit by bit what was put in.
//
//	since     eight bytes, if the run was cut
//	head      headBytes, the fields below
//	layout    two bytes for each property, and two more: where it begins in the record, in bits, and its code; it ends where the next begins
//	times     whole units after the snapshot's base
//	records   a presence mask, if not every event has the same properties; then the properties
//
// The head, from its lowest bit: how many events, properties, the width of a time, its unit, whether records have a mask, whether the run was cut.
const (
	headBytes      = 4
	countBits      = 15
	propertiesBits = 6
	widthBits      = 7
	unitBits       = 2

	propertiesAt = countBits
	widthAt      = propertiesAt + propertiesBits
	unitAt       = widthAt + widthBits
	maskedAt     = unitAt + unitBits
	cutAt        = maskedAt + 1

	layoutBytes = 2
	placeBits   = 12
	sinceBytes  = 8
	baseBytes   = 8
	runsBytes   = 2
	tailBytes   = baseBytes + runsBytes // no less than slack
)

// maxRun is how many events of one type a snapshot can hold, far beyond what stores keep.
const maxRun = 1<<countBits - 1

// units are what times, and stamps among properties, are whole multiples of, in nanoseconds.
var units = [1 << unitBits]uint64{1, 1_000, 1_000_000, 1_000_000_000}

// Codes of properties: twice the place of a scale, and one more when there are negative numbers; or one of those below. A scale is what a double was multiplied with, or
// one of units, which a stamp was divided by; a text is where it is in the data.
const (
	codeFloat = 14 // an IEEE 754 double in 64 bits or in 32, which have the same value
	codeNever = 15 // no event has it
)

var scales = [...]float64{1, 10, 100, 1_000, 10_000, 1_000_000}

// Events is the events of one type, oldest first.
type Events struct {
	data    string // "" when there is no run
	layout  uint32 // where it begins
	records uint32 // the same, in bits
	shape   uint64 // the head's fields, and above them the bits of a record: Go keeps a struct of four fields in registers
}

const (
	strideAt = cutAt + 1
	masked   = 1 << maskedAt
)

func (e Events) properties() uint { return uint(e.shape >> propertiesAt % (1 << propertiesBits)) }
func (e Events) width() uint      { return uint(e.shape >> widthAt % (1 << widthBits)) }
func (e Events) stride() uint     { return uint(e.shape >> strideAt) }

// A place in the directory takes two bytes for the slot and two for where the run's head is, or four when the data is longer than two can say.
const (
	slotBytes = 2
	nearBytes = 2
	farBytes  = 4
	maxNear   = 1 << 16
)

func entryBytes(data int) int {
	if data < maxNear {
		return slotBytes + nearBytes
	}
	return slotBytes + farBytes
}

// Events returns the events of the type at slot; a type without events, or unknown when the snapshot was built, has none.
func (s *Snapshot) Events(slot int) Events {
	if s.data == "" {
		return Events{}
	}
	entry, runs := entryBytes(len(s.data)), int(load16(s.data, len(s.data)-runsBytes))
	directory := len(s.data) - tailBytes - entry*runs
	low, high := 0, runs
	for low < high {
		if middle := (low + high) / 2; int(load16(s.data, directory+entry*middle)) < slot {
			low = middle + 1
		} else {
			high = middle
		}
	}
	at := directory + entry*low
	if low == runs || int(load16(s.data, at)) != slot {
		return Events{}
	}
	head := int(load16(s.data, at+slotBytes))
	if entry != slotBytes+nearBytes {
		head = int(load32(s.data, at+slotBytes))
	}
	return runAt(s.data, head)
}

func runAt(data string, head int) Events {
	e := Events{data: data, layout: uint32(head + headBytes), shape: load64(data, head) % (1 << strideAt)}
	end := int(e.layout) + layoutBytes*int(e.properties())
	e.records = 8 * uint32(end+layoutBytes+bytesOf(uint(e.Len())*e.width()))
	e.shape |= uint64(load16(data, end)%(1<<placeBits)) << strideAt
	return e
}

func bytesOf(bits uint) int { return int((bits + 7) / 8) }

// Len is the number of events.
func (e Events) Len() int { return int(e.shape % (1 << countBits)) }

// Since is the wall time in nanoseconds from which on the list is complete: 0 when nothing was cut but by retention.
func (e Events) Since() int64 {
	if e.shape>>cutAt&1 == 0 {
		return 0
	}
	return int64(load64(e.data, int(e.layout)-headBytes-sinceBytes))
}

// At is the wall nanoseconds of event i. They ascend.
func (e Events) At(i int) int64 {
	unit, base := e.clock()
	return int64(base + unit*e.ticks(uint(i)))
}

// clock is what times are counted in, and from.
func (e Events) clock() (unit, base uint64) {
	return units[e.shape>>unitAt%(1<<unitBits)], load64(e.data, len(e.data)-tailBytes)
}

func (e Events) ticks(i uint) uint64 {
	return field(e.data, uint(e.times())*8+i*e.width(), e.width())
}

// times is where they begin.
func (e Events) times() uint32 { return e.layout + layoutBytes + layoutBytes*uint32(e.properties()) }

// Window returns the indices [from, to) of the events in (now-w, now], all in wall nanoseconds.
func (e Events) Window(now, w int64) (from, to int) {
	if e.Len() == 0 {
		return 0, 0
	}
	from = e.after(now-w, 0)
	return from, e.after(now, from)
}

// after is how many events are at or before the time, and no fewer than least.
func (e Events) after(time int64, least int) int {
	unit, base := e.clock()
	if time < int64(base) {
		return least
	}
	ticks := uint64(time) - base // fits, though the difference of two times may not fit an int64
	if unit != 1 {
		ticks /= unit
	}
	low, high := uint(least), uint(e.Len())
	if high > low && e.ticks(high-1) <= ticks {
		return int(high) // as is usual for now
	}
	width, times := e.width(), uint(e.times())*8
	if width > maxShortBits {
		for low < high {
			if middle := (low + high) / 2; e.ticks(middle) <= ticks {
				low = middle + 1
			} else {
				high = middle
			}
		}
		return int(low)
	}
	mask := uint64(1)<<(width%64) - 1
	for low < high {
		middle := (low + high) / 2
		pos := times + middle*width
		if load64(e.data, int(pos/8))>>(pos%8)&mask <= ticks {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return int(low)
}

// Has reports whether event i has the property.
func (e Events) Has(i, prop int) bool {
	if uint(prop) >= e.properties() {
		return false
	}
	if e.shape&masked != 0 {
		at := uint(e.records) + uint(i)*e.stride() + uint(prop)
		return e.data[at/8]>>(at%8)&1 != 0
	}
	return e.data[e.layout+layoutBytes*uint32(prop)+1] < codeNever<<(placeBits-8)
}

// property is the field of event i and the property, its width and its code.
func (e Events) property(i, prop int) (bits uint64, width, code uint) {
	l := uint(load32(e.data, int(e.layout)+layoutBytes*prop)) // of the property and of the next one
	place := l % (1 << placeBits)
	code, width = l>>placeBits%16, l>>16%(1<<placeBits)-place
	pos := uint(e.records) + uint(i)*e.stride() + place
	if width > maxShortBits {
		return field(e.data, pos, width), width, code
	}
	return load64(e.data, int(pos/8)) >> (pos % 8) & (1<<(width%64) - 1), width, code
}

// Bool, Int, Double, String and Timestamp return a property that Has reported, of that kind.
func (e Events) Bool(i, prop int) bool {
	bits, _, _ := e.property(i, prop)
	return bits != 0
}

// Int is described at Bool.
func (e Events) Int(i, prop int) int64 {
	bits, width, code := e.property(i, prop)
	return whole(bits, width, code)
}

func whole(bits uint64, width, code uint) int64 {
	if code%2 != 0 {
		return signed(bits, width)
	}
	return int64(bits)
}

// Double is described at Bool.
func (e Events) Double(i, prop int) float64 {
	bits, width, code := e.property(i, prop)
	switch {
	case code < codeFloat:
		return float64(whole(bits, width, code)) / scales[code/2%uint(len(scales))]
	case width == 32:
		return float64(math.Float32frombits(uint32(bits)))
	}
	return math.Float64frombits(bits)
}

// String is described at Bool.
func (e Events) String(i, prop int) string {
	bits, _, _ := e.property(i, prop)
	return text(e.data, uint32(bits))
}

// Timestamp is described at Bool.
func (e Events) Timestamp(i, prop int) int64 {
	bits, width, code := e.property(i, prop)
	return whole(bits, width, code) * int64(units[code/2%uint(len(units))])
}

// Bits is a property that Has reported, of a kind that is no String, as Snapshot.Bits.
func (e Events) Bits(i, prop int, kind Kind) uint64 {
	switch kind {
	case Double:
		return math.Float64bits(e.Double(i, prop))
	case Timestamp:
		return uint64(e.Timestamp(i, prop))
	default:
		return uint64(e.Int(i, prop))
	}
}
