package profile

import "math"

// The properties of events are kept packed, since most of what a user takes would else be zero bytes: an event is a record in the snapshot's data, all records of one
// type have the same length, and each property is as wide as the widest of its values asks for. What is read is bit by bit what was put in.
//
// A record begins with a presence mask of a bit for each property, and then has the properties that any event of the run has. Before the records
// stands their layout: for each property its place in the record, two bytes, and its width, one byte: 0, 1, 2, 4 or 8. Numbers are little-endian.

// layoutBytes is what one property takes in a layout.
const layoutBytes = 3

// maskBytes is the length of the presence mask.
func maskBytes(properties int) int { return (properties + 7) / 8 }

// width is how many bytes the value needs. Whole numbers and stamps are cut where their sign allows, doubles where a 32-bit float is equal, strings where place
// and length have 16 bits each.
func width(kind Kind, bits uint64) int {
	switch kind {
	case Double:
		if f := math.Float64frombits(bits); math.Float64bits(float64(float32(f))) == bits {
			return 4
		}
		return 8
	case String:
		if bits>>32 <= math.MaxUint16 && bits&math.MaxUint32 <= math.MaxUint16 {
			return 4
		}
		return 8
	}
	switch n := int64(bits); {
	case int64(int8(n)) == n:
		return 1
	case int64(int16(n)) == n:
		return 2
	case int64(int32(n)) == n:
		return 4
	}
	return 8
}

// narrow is the value as it stands in a field of the width.
func narrow(kind Kind, width int, bits uint64) uint64 {
	switch {
	case width == 8:
		return bits
	case kind == Double:
		return uint64(math.Float32bits(float32(math.Float64frombits(bits))))
	case kind == String:
		return bits>>32<<16 | bits&math.MaxUint16
	}
	return bits
}

func put(dst []byte, width int, bits uint64) {
	for i := range width {
		dst[i] = byte(bits >> (8 * i))
	}
}

// appendRecords packs the words of events, a presence mask and a word for each property, and returns where the records begin and how long each is.
func appendRecords(data []byte, typ *EventType, events [][]uint64) (out []byte, records, stride int) {
	n := len(typ.Properties)
	layout := len(data)
	data = append(data, make([]byte, layoutBytes*n)...)
	stride = maskBytes(n)
	for i := range typ.Properties {
		p := &typ.Properties[i]
		most := 0
		for _, words := range events {
			if words[0]&(1<<p.Slot) != 0 {
				most = max(most, width(p.Type.Kind, words[1+p.Slot]))
			}
		}
		at := data[layout+layoutBytes*p.Slot:]
		put(at, 2, uint64(stride))
		at[2] = byte(most)
		stride += most
	}
	records = len(data)
	data = append(data, make([]byte, stride*len(events))...)
	for e, words := range events {
		record := data[records+e*stride:]
		put(record, maskBytes(n), words[0])
		for i := range typ.Properties {
			p := &typ.Properties[i]
			if words[0]&(1<<p.Slot) == 0 {
				continue
			}
			at := data[layout+layoutBytes*p.Slot:]
			wide := int(at[2])
			put(record[int(at[0])|int(at[1])<<8:], wide, narrow(p.Type.Kind, wide, words[1+p.Slot]))
		}
	}
	return data, records, stride
}

// field is where a property of one event stands in the data, and how wide it is.
func (e Events) field(i, prop int) (at, width int) {
	data, l := e.snap.data, int(e.run.layout)+layoutBytes*prop
	return int(e.run.records) + i*int(e.run.stride) + int(uint16(data[l])|uint16(data[l+1])<<8), int(data[l+2])
}

func read16(s string, at int) uint16 { return uint16(s[at]) | uint16(s[at+1])<<8 }

func read32(s string, at int) uint32 {
	s = s[at : at+4]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func read64(s string, at int) uint64 {
	s = s[at : at+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// Has reports whether event i has the property.
func (e Events) Has(i, prop int) bool {
	return prop < int(e.run.properties) && e.snap.data[int(e.run.records)+i*int(e.run.stride)+prop/8]&(1<<(prop%8)) != 0
}

// Bool, Int, Double, String and Timestamp return a property that Has reported, of that kind.
func (e Events) Bool(i, prop int) bool { return e.Int(i, prop) != 0 }

// Int is described at Bool.
func (e Events) Int(i, prop int) int64 {
	at, width := e.field(i, prop)
	switch width {
	case 1:
		return int64(int8(e.snap.data[at]))
	case 2:
		return int64(int16(read16(e.snap.data, at)))
	case 4:
		return int64(int32(read32(e.snap.data, at)))
	}
	return int64(read64(e.snap.data, at))
}

// Double is described at Bool.
func (e Events) Double(i, prop int) float64 {
	at, width := e.field(i, prop)
	if width == 4 {
		return float64(math.Float32frombits(read32(e.snap.data, at)))
	}
	return math.Float64frombits(read64(e.snap.data, at))
}

// String is described at Bool.
func (e Events) String(i, prop int) string {
	at, width := e.field(i, prop)
	if width == 4 {
		return e.snap.str(span(int(read16(e.snap.data, at+2)), int(read16(e.snap.data, at))))
	}
	return e.snap.str(read64(e.snap.data, at))
}

// Timestamp is described at Bool.
func (e Events) Timestamp(i, prop int) int64 { return e.Int(i, prop) }
