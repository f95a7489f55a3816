package profile

import (
	"math"
	"slices"
)

// packer lays out the data of a snapshot.
type packer struct {
	data    []byte
	numbers []number // of slots, then of items
	user    int      // where the user id is
	cell    int      // bytes of a cell
	runs    []run
	heads   []int
	columns []column
}

// run is events of one type among those that are pending.
type run struct {
	slot     int32
	from, to int
	since    int64
}

func (p *packer) reset() {
	p.data, p.numbers, p.runs, p.heads = p.data[:0], p.numbers[:0], p.runs[:0], p.heads[:0]
}

// room appends n zero bytes and returns where they are.
func (p *packer) room(n int) int {
	from := len(p.data)
	p.data = slices.Grow(p.data, n+slack+1)[:from+n]
	clear(p.data[from:])
	return from
}

// put writes a field into room.
func (p *packer) put(pos, width uint, v uint64) {
	p.data = slices.Grow(p.data, slack+1)
	putField(p.data[:cap(p.data)], pos, width, v)
}

// attributes lays out cells, texts and values.
func (p *packer) attributes(b *Builder, out *Snapshot) {
	p.measure(b)
	out.cell = uint8(8 * p.cell)
	p.room(len(b.words) * p.cell)
	p.data = append(p.data, b.told.data...)
	texts := len(p.data)
	p.data = append(p.data, b.said.data...)
	next := 0 // among numbers
	word := func(kind Kind, bits uint64) int {
		if kind == String {
			return (texts+int(bits))*tags + tagHere
		}
		next++
		return p.number(&p.numbers[next-1])
	}
	for slot, state := range b.states {
		cell := 0
		switch typ := b.schema.Attributes[slot].Type; {
		case state == Invalid:
			cell = tagInvalid
		case state != Present:
			continue
		case typ.Shape == Scalar:
			cell = word(typ.Kind, b.words[slot])
		default:
			items := b.itemsOf(slot)
			cell = len(p.data)*tags + tagHere
			p.data = appendLength(p.data, len(items))
			from := p.room(len(items) * p.cell)
			for i, bits := range items {
				p.putCell(from+i*p.cell, word(typ.kindOf(i), bits))
			}
		}
		p.putCell(slot*p.cell, cell)
	}
}

func (b *Builder) itemsOf(slot int) []uint64 {
	from, n := b.words[slot]>>32, b.words[slot]&math.MaxUint32
	return b.items[from : from+n]
}

// kindOf is the kind of value i of a list or map.
func (t Type) kindOf(i int) Kind {
	if t.Shape == Map && i%2 == 0 {
		return String
	}
	return t.Kind
}

// number is the cell of a number, which is put behind all else if the cell has no room for it.
func (p *packer) number(v *number) int {
	if int(v.need)+tagBits <= 8*p.cell {
		return int(v.n)*tags + int(v.here)
	}
	at := len(p.data)
	if v.bytes == wideBytes {
		p.data = appendLong(p.data, v.wide, wideBytes)
		return at*tags + tagWide
	}
	p.data = appendLong(p.data, uint64(v.n), narrowBytes)
	return at*tags + int(v.narrow)
}

func (p *packer) putCell(at, cell int) {
	for i := range p.cell {
		p.data[at+i] = byte(cell >> (8 * i))
	}
}

// measure finds the width of the cells, and the numbers.
func (p *packer) measure(b *Builder) {
	elsewhere, cells := len(b.told.data)+len(b.said.data), len(b.words)
	add := func(kind Kind, bits uint64) {
		if kind == String {
			return
		}
		v := numberOf(kind, bits)
		if v.need+tagBits > shortCell {
			elsewhere += int(v.bytes)
		}
		p.numbers = append(p.numbers, v)
	}
	for slot, state := range b.states {
		if state != Present {
			continue
		}
		typ := b.schema.Attributes[slot].Type
		if typ.Shape == Scalar {
			add(typ.Kind, b.words[slot])
			continue
		}
		items := b.itemsOf(slot)
		elsewhere, cells = elsewhere+lengthBytes(len(items)), cells+len(items)
		for i, bits := range items {
			add(typ.kindOf(i), bits)
		}
	}
	p.cell = shortCell / 8
	if elsewhere+cells*shortCell/8 > maxPlace {
		p.cell = longCell / 8
	}
}

// history lays out the runs, the user id, the directory and the tail.
func (p *packer) history(b *Builder, out *Snapshot) {
	slices.SortFunc(b.pending, pendingEvent.compare)
	p.divide(b)
	base := uint64(baseOf(b.pending))
	for i := range p.runs {
		r := &p.runs[i]
		p.heads = append(p.heads, p.run(b, r, base))
	}
	p.user = len(p.data)
	p.data = append(p.data, out.Key.User...)
	entry := entryBytes(len(p.data) + tailBytes + len(p.runs)*(slotBytes+nearBytes))
	for i := range p.runs {
		p.data = appendLong(p.data, uint64(p.runs[i].slot), slotBytes)
		p.data = appendLong(p.data, uint64(p.heads[i]), entry-slotBytes)
	}
	p.data = appendLong(p.data, base, baseBytes)
	p.data = appendLong(p.data, uint64(len(p.runs)), runsBytes)
}

// compare orders by type, then time, then as they came.
func (e pendingEvent) compare(other pendingEvent) int {
	switch {
	case e.slot != other.slot:
		return int(e.slot - other.slot)
	case e.at < other.at:
		return -1
	case e.at > other.at:
		return 1
	}
	return int(e.seq - other.seq)
}

// divide finds the runs, ascending by slot.
func (p *packer) divide(b *Builder) {
	for i := 0; i < len(b.pending); {
		r := run{slot: b.pending[i].slot, from: i}
		for ; i < len(b.pending) && b.pending[i].slot == r.slot; i++ {
		}
		if r.to = i; r.to-r.from > maxRun {
			r.from = r.to - maxRun
			r.since = b.pending[r.from-1].at + 1
		}
		p.runs = append(p.runs, r)
	}
	for _, d := range b.dropped {
		i, ok := slices.BinarySearchFunc(p.runs, d.slot, func(r run, slot int32) int { return int(r.slot - slot) })
		if !ok {
			p.runs = slices.Insert(p.runs, i, run{slot: d.slot})
		}
		p.runs[i].since = max(p.runs[i].since, d.since)
	}
}

// baseOf is a whole second from which no event lies back; of times that begin with int64 itself, the first.
func baseOf(events []pendingEvent) int64 {
	if len(events) == 0 {
		return 0
	}
	first := events[0].at
	for i := range events {
		first = min(first, events[i].at)
	}
	over := first % seconds
	if over < 0 {
		over += seconds
	}
	if first-over > first {
		return first
	}
	return first - over
}

// column is how the values of one property are packed.
type column struct {
	kind        Kind
	code, width uint
}

// run lays out the events of one type and returns where their head is.
func (p *packer) run(b *Builder, r *run, base uint64) (head int) {
	events := b.pending[r.from:r.to]
	p.columns = p.columns[:0]
	masked := false
	if len(events) > 0 {
		masked = p.measureRun(b, &b.schema.EventTypes[r.slot], events)
	}
	unit, width := clockOf(events, base)
	fields := uint64(len(events)) | uint64(len(p.columns))<<propertiesAt | uint64(width)<<widthAt | uint64(unit)<<unitAt
	if masked {
		fields |= 1 << maskedAt
	}
	if r.since > 0 {
		fields |= 1 << cutAt
		p.data = appendLong(p.data, uint64(r.since), sinceBytes)
	}
	head = len(p.data)
	p.data = appendLong(p.data, fields, headBytes)
	place := uint(0)
	if masked {
		place = uint(len(p.columns))
	}
	for _, c := range p.columns {
		p.data = appendLong(p.data, uint64(place|c.code<<placeBits), layoutBytes)
		place += c.width
	}
	p.data = appendLong(p.data, uint64(place), layoutBytes) // and the record is so long
	at := uint(p.room(bytesOf(uint(len(events))*width))) * 8
	for i := range events {
		p.put(at+uint(i)*width, width, (uint64(events[i].at)-base)/units[unit])
	}
	at = uint(p.room(bytesOf(uint(len(events))*place))) * 8
	for i := range events {
		p.record(b, &events[i], at+uint(i)*place, masked)
	}
	return head
}

// clockOf is the place of the unit and the width of the times.
func clockOf(events []pendingEvent, base uint64) (unit int, width uint) {
	if len(events) == 0 {
		return 0, 0
	}
	unit = len(units) - 1
	for i := range events {
		for (uint64(events[i].at)-base)%units[unit] != 0 {
			unit--
		}
	}
	return unit, unsignedBits((uint64(events[len(events)-1].at) - base) / units[unit])
}

func (p *packer) record(b *Builder, e *pendingEvent, pos uint, masked bool) {
	words := b.records[e.from:]
	if masked {
		p.put(pos, uint(len(p.columns)), words[0])
		pos += uint(len(p.columns))
	}
	for slot := range p.columns {
		c := &p.columns[slot]
		if c.width > 0 && words[0]>>slot&1 != 0 {
			v := c.packed(words[1+slot])
			if c.kind == String {
				v += p.told(b)
			}
			p.put(pos, c.width, v&(1<<c.width-1))
		}
		pos += c.width
	}
}

// told is where the texts of events are.
func (p *packer) told(b *Builder) uint64 { return uint64(len(b.words) * p.cell) }

// measureRun finds the columns, and whether the events differ in which properties they have.
func (p *packer) measureRun(b *Builder, typ *EventType, events []pendingEvent) (masked bool) {
	mask := b.records[events[0].from]
	for i := range events {
		masked = masked || b.records[events[i].from] != mask
	}
	p.columns = slices.Grow(p.columns, len(typ.Properties))[:len(typ.Properties)]
	for i := range typ.Properties {
		property := &typ.Properties[i]
		p.columns[property.Slot] = p.measureColumn(b, property, events)
	}
	return masked
}

// measureColumn finds how the values of the property are packed.
func (p *packer) measureColumn(b *Builder, property *Property, events []pendingEvent) column {
	c := column{kind: property.Type.Kind, code: codeNever}
	values := func(yield func(uint64) bool) {
		for i := range events {
			if words := b.records[events[i].from:]; words[0]>>property.Slot&1 != 0 && !yield(words[1+property.Slot]) {
				return
			}
		}
	}
	switch c.kind {
	case Double:
		for v := range values {
			c.scale(math.Float64frombits(v))
		}
	case Timestamp:
		for v := range values {
			if c.code == codeNever {
				c.code = 2 * uint(len(units)-1)
			}
			for int64(v)%int64(units[c.code/2]) != 0 {
				c.code -= 2
			}
		}
	default:
		for range values {
			c.code = 0
			break
		}
	}
	switch {
	case c.code == codeNever:
		return c
	case c.code == codeFloat:
		return c.floats(values)
	case c.kind == String:
		for v := range values {
			c.width = max(c.width, unsignedBits(v+p.told(b)))
		}
		return c
	}
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for v := range values {
		n := int64(v)
		switch c.kind {
		case Double:
			var ok bool
			if n, ok = decimal(math.Float64frombits(v), scales[c.code/2]); !ok { // a large one among them, of fewer places
				return c.floats(values)
			}
		case Timestamp:
			n /= int64(units[c.code/2])
		}
		least, most = min(least, n), max(most, n)
	}
	if c.width = unsignedBits(uint64(most)); least < 0 {
		c.code, c.width = c.code+1, max(signedBits(least), signedBits(most))
	}
	if c.kind == Double {
		if floats := c.floats(values); floats.width <= c.width {
			return floats
		}
	}
	return c
}

// scale makes the column's scale one that f is a whole number in.
func (c *column) scale(f float64) {
	if c.code == codeNever {
		c.code = 0
	}
	for ; c.code < 2*uint(len(scales)); c.code += 2 {
		if _, ok := decimal(f, scales[c.code/2]); ok {
			return
		}
	}
	c.code = codeFloat
}

// floats is the column in the form of IEEE 754.
func (c column) floats(values func(func(uint64) bool)) column {
	c.code, c.width = codeFloat, 32
	for v := range values {
		if f := math.Float64frombits(v); math.Float64bits(float64(float32(f))) != v {
			c.width = 64
			break
		}
	}
	return c
}

// packed is the value as it stands in a record; of a text, from where texts of events begin.
func (c *column) packed(bits uint64) uint64 {
	switch {
	case c.code == codeFloat && c.width == 32:
		return uint64(math.Float32bits(float32(math.Float64frombits(bits))))
	case c.kind == Double && c.code != codeFloat:
		n, _ := decimal(math.Float64frombits(bits), scales[c.code/2])
		return uint64(n)
	case c.kind == Timestamp:
		return uint64(int64(bits) / int64(units[c.code/2]))
	}
	return bits
}
