package profile

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"eligibility/internal/hlc"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fastjson"
)

// Builder decodes stored rows into a Snapshot. Use: Reset, then Attributes, Email, TimeZone, Consent and Event in any order, then
// Build. It is not safe for concurrent use; keep one for each loading goroutine, it reuses its buffers.
type Builder struct {
	schema  *Schema
	only    *Projection // what is kept, nil for everything
	snap    Snapshot
	parser  fastjson.Parser
	states  []State
	words   []uint64 // by slot: a number, the place of a text among those of attributes, a span of items
	items   []uint64 // of lists and maps
	said    words    // by attributes
	told    words    // by events
	pending []pendingEvent
	records []uint64 // of pending events: a presence mask and a word for each property
	dropped []dropped
	pairs   []pair
	digits  []byte // scratch of scalar
	packer  packer
	room    room
}

type pendingEvent struct {
	slot, seq int32
	at        int64
	from      int32 // of its record
}

// dropped notes that a store cut the events of one type.
type dropped struct {
	slot  int32
	since int64
}

type pair struct {
	key  string
	k, v uint64
}

// Reset begins a snapshot of key, read at asOf, under the schema.
func (b *Builder) Reset(schema *Schema, key Key, asOf hlc.Timestamp) {
	b.schema, b.only = schema, nil
	b.pending, b.records, b.dropped, b.items = b.pending[:0], b.records[:0], b.dropped[:0], b.items[:0]
	b.said.reset()
	b.told.reset()
	n := len(schema.Attributes)
	b.snap = Snapshot{Key: key, AsOf: asOf, SchemaVersion: schema.Version, slots: uint16(n)}
	b.states, b.words = slices.Grow(b.states[:0], n)[:n], slices.Grow(b.words[:0], n)[:n]
	clear(b.states)
	clear(b.words)
}

// Only has the snapshot that was just begun hold no more than what is going to be read.
func (b *Builder) Only(p *Projection) {
	b.only, b.snap.Partial = p, !p.Whole()
}

// Found notes that a profile row exists.
func (b *Builder) Found() { b.snap.Found = true }

// Email sets the built-in attribute; "" leaves it absent.
func (b *Builder) Email(email string) { b.builtin(SlotEmail, email) }

// TimeZone sets the built-in attribute; "" leaves it absent.
func (b *Builder) TimeZone(zone string) { b.builtin(SlotTimeZone, zone) }

func (b *Builder) builtin(slot int, value string) {
	if value != "" && b.only.reads(slot) {
		b.set(slot, b.said.keep([]byte(value)))
	}
}

// Consent sets consent for a channel; an unknown channel is ignored.
func (b *Builder) Consent(channel string, given bool) {
	i := slices.Index(Channels, channel)
	if i < 0 || !b.only.reads(SlotConsent(i)) {
		return
	}
	var bits uint64
	if given {
		bits = 1
	}
	b.set(SlotConsent(i), bits)
}

// Attributes decodes the stored JSON object of attributes by name. Undeclared names are passed over. A row that is not a JSON object marks
// the snapshot Broken: every declared attribute is then Invalid, and nothing else of the load fails. A member that is too deep to be read is Invalid by itself.
func (b *Builder) Attributes(object []byte) {
	if len(object) == 0 {
		return
	}
	v, err := b.parser.ParseBytes(object)
	switch {
	case err == nil && v.Type() == fastjson.TypeObject:
		b.object("", v)
	case err != nil && b.members(object):
	default:
		b.snap.Broken = true
		for i := range b.schema.Attributes {
			if !b.schema.Attributes[i].Builtin {
				b.states[i] = Invalid
			}
		}
	}
}

// members decodes an object one member at a time, and reports whether it is one. It is for what the parser refuses as a whole, which is objects with more levels than it goes down: who
// reads only some of the members must find in them what everybody does.
func (b *Builder) members(object []byte) bool {
	options := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	if !jsontext.Value(object).IsValid(options...) {
		return false
	}
	decoder := jsontext.NewDecoder(bytes.NewBuffer(object), options...)
	if begin, err := decoder.ReadToken(); err != nil || begin.Kind() != '{' {
		return false
	}
	for decoder.PeekKind() != '}' {
		token, err := decoder.ReadToken()
		if err != nil {
			return false
		}
		name := token.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return false
		}
		if v, err := b.parser.ParseBytes(value); err == nil {
			b.named("", name, v)
			continue
		}
		if attr, ok := b.schema.Attribute(name); ok && !attr.Builtin {
			b.states[attr.Slot] = Invalid
		}
		for _, slot := range b.schema.Nested(name) {
			if !b.schema.Attributes[slot].Builtin {
				b.states[slot] = Invalid
			}
		}
	}
	return true
}

func (b *Builder) object(prefix string, v *fastjson.Value) {
	v.GetObject().Visit(func(name []byte, value *fastjson.Value) { b.named(prefix, string(name), value) })
}

func (b *Builder) named(prefix, name string, value *fastjson.Value) {
	if prefix == "" && name == AttributeDevices && b.only.readsDevices() {
		b.devices(value)
	}
	path := prefix + name
	if attr, ok := b.schema.Attribute(path); ok && !attr.Builtin {
		b.attribute(attr, value)
	} else if len(b.schema.Nested(path)) > 0 && value.Type() == fastjson.TypeObject {
		b.object(path+".", value)
	}
}

// devices counts those that a push can reach. A list that is none, or an entry that is no device, counts nothing: no push is sent to what may not be there.
func (b *Builder) devices(v *fastjson.Value) {
	for _, device := range v.GetArray() {
		if len(device.GetStringBytes("token")) > 0 && device.GetBool("endpointEnabled") && b.snap.Devices < math.MaxInt8 {
			b.snap.Devices++
		}
	}
}

func (b *Builder) attribute(attr *Attribute, v *fastjson.Value) {
	if v.Type() == fastjson.TypeNull || !b.only.reads(attr.Slot) {
		return
	}
	var bits uint64
	ok := false
	switch attr.Type.Shape {
	case Scalar:
		bits, ok = scalar(attr.Type.Kind, v, b.said.keep, &b.digits)
	case List:
		bits, ok = b.list(attr.Type.Kind, v)
	case Map:
		bits, ok = b.dict(attr.Type.Kind, v)
	}
	if !ok {
		b.states[attr.Slot] = Invalid
		return
	}
	b.set(attr.Slot, bits)
}

func (b *Builder) list(kind Kind, v *fastjson.Value) (uint64, bool) {
	values, err := v.Array()
	if err != nil {
		return 0, false
	}
	from := len(b.items)
	for _, item := range values {
		bits, ok := scalar(kind, item, b.said.keep, &b.digits)
		if !ok {
			b.items = b.items[:from]
			return 0, false
		}
		b.items = append(b.items, bits)
	}
	return span(from, len(values)), true
}

func (b *Builder) dict(kind Kind, v *fastjson.Value) (uint64, bool) {
	object, err := v.Object()
	if err != nil {
		return 0, false
	}
	b.pairs = b.pairs[:0]
	ok := true
	object.Visit(func(name []byte, item *fastjson.Value) {
		bits, fits := scalar(kind, item, b.said.keep, &b.digits)
		ok = ok && fits
		b.pairs = append(b.pairs, pair{key: string(name), k: b.said.keep(name), v: bits})
	})
	if !ok {
		return 0, false
	}
	slices.SortStableFunc(b.pairs, func(x, y pair) int { return cmp.Compare(x.key, y.key) })
	from := len(b.items)
	for i, p := range b.pairs {
		if i+1 < len(b.pairs) && b.pairs[i+1].key == p.key {
			continue // of a repeated key the last counts
		}
		b.items = append(b.items, p.k, p.v)
	}
	return span(from, len(b.items)-from), true
}

func (b *Builder) set(slot int, bits uint64) {
	b.states[slot], b.words[slot] = Present, bits
}

func span(from, n int) uint64 { return uint64(from)<<32 | uint64(n) }

// Event adds one stored event. Undeclared types and properties, and properties of another type than declared, are passed over.
func (b *Builder) Event(name string, at int64, properties []byte) {
	typ, ok := b.schema.EventType(name)
	if !ok || b.only.eventReads(typ.Slot) == readsNone {
		return
	}
	from := len(b.records)
	b.records = append(b.records, make([]uint64, 1+len(typ.Properties))...)
	b.pending = append(b.pending, pendingEvent{slot: int32(typ.Slot), seq: int32(len(b.pending)), at: at, from: int32(from)})
	if len(properties) == 0 || len(typ.Properties) == 0 || b.only.eventReads(typ.Slot) != readsAll {
		return
	}
	if record := b.records[from:]; !b.plain(typ, properties, record) {
		b.parsed(typ, properties, record)
	}
}

// parsed is plain for every object.
func (b *Builder) parsed(typ *EventType, object []byte, record []uint64) {
	v, err := b.parser.ParseBytes(object)
	if err != nil || v.Type() != fastjson.TypeObject {
		return
	}
	for i := range typ.Properties {
		p := &typ.Properties[i]
		if item := v.Get(p.Name); item != nil {
			if bits, ok := scalar(p.Type.Kind, item, b.told.keep, &b.digits); ok {
				record[0] |= 1 << p.Slot
				record[1+p.Slot] = bits
			}
		}
	}
}

// Truncated says that the events of the type before since (wall nanoseconds, exclusive) were left out although they are within retention.
func (b *Builder) Truncated(name string, since int64) {
	if typ, ok := b.schema.EventType(name); ok && b.only.eventReads(typ.Slot) != readsNone {
		b.dropped = append(b.dropped, dropped{slot: int32(typ.Slot), since: since})
	}
}

// Build returns the snapshot. Its memory is its own and exactly as large as needed; the Builder may be Reset afterwards.
func (b *Builder) Build() *Snapshot {
	out := b.room.snapshot()
	*out = b.snap
	p := &b.packer
	p.reset()
	p.attributes(b, out)
	p.history(b, out)
	out.data = string(p.data)
	user := out.data[p.user : p.user+len(out.Key.User)]
	out.Key.User = user // the caller's is free to go
	return out
}

// Together has the next snapshots, of so many users, lie in one piece of memory: cheaper to make, and none of it goes as long as one of them is there. It is for what is read
// and forgotten together. 0 ends it.
func (b *Builder) Together(users int) {
	b.room = room{users: users}
}

// room is memory that several snapshots share; the zero value makes each its own.
type room struct {
	users int // that are still to come
	snaps []Snapshot
}

func (r *room) snapshot() *Snapshot {
	if r.users == 0 {
		return new(Snapshot)
	}
	if len(r.snaps) == 0 {
		r.snaps = make([]Snapshot, r.users)
	}
	s := &r.snaps[0]
	r.snaps, r.users = r.snaps[1:], r.users-1
	return s
}
