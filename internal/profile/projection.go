package profile

import (
	"context"
	"slices"
	"strings"
)

// Projection is what somebody is going to read of users: everything else may be left out when they are loaded. Slots are never reused, so that what was made with one schema holds for its
// successors. Add to it first; it is safe for concurrent use once nothing is added any more. A nil Projection is everything.
type Projection struct {
	schema     *Schema
	attributes []bool       // by slot
	events     []eventReads // by slot
	devices    bool
	members    []string // of the JSON object of attributes that hold what is read, ascending
	types      []string // names of the event types that are read, ascending
	everything bool
}

// eventReads is what is read of the events of one type.
type eventReads uint8

const (
	readsNone  eventReads = iota
	readsTimes            // when they happened, and since when all are there
	readsAll              // their properties too
)

// PartialSource is a Source that can leave out what nobody is going to read.
type PartialSource interface {
	Source
	// LoadPart is Load of what only asks for. Slots that it does not ask for read as if nothing had ever been there, and the snapshots are Partial.
	LoadPart(ctx context.Context, only *Projection, keys []Key, dst []*Snapshot) error
}

// NewProjection is nothing but a user's key, and whether there is a row of his.
func NewProjection(schema *Schema) *Projection {
	return &Projection{schema: schema, attributes: make([]bool, len(schema.Attributes)), events: make([]eventReads, len(schema.EventTypes))}
}

// Attribute adds the attribute at a slot of the schema.
func (p *Projection) Attribute(slot int) {
	if p.attributes[slot] {
		return
	}
	p.attributes[slot] = true
	if attr := &p.schema.Attributes[slot]; !attr.Builtin {
		p.member(attr.Name)
	}
}

// member adds the members that may hold the dotted name: "address.city" stands below "address", or as it is.
func (p *Projection) member(name string) {
	for end := 0; end < len(name); {
		next := strings.IndexByte(name[end:], '.')
		if next < 0 {
			p.members = added(p.members, name)
			return
		}
		p.members = added(p.members, name[:end+next])
		end += next + 1
	}
}

func added(sorted []string, name string) []string {
	i, found := slices.BinarySearch(sorted, name)
	if found {
		return sorted
	}
	return slices.Insert(sorted, i, name)
}

// Devices adds how many devices take pushes.
func (p *Projection) Devices() {
	p.devices = true
	p.member(AttributeDevices)
}

// EventTimes adds when the events of the type at a slot happened.
func (p *Projection) EventTimes(slot int) {
	p.events[slot] = max(p.events[slot], readsTimes)
	p.types = added(p.types, p.schema.EventTypes[slot].Name)
}

// Events adds the events of the type at a slot, with their properties.
func (p *Projection) Events(slot int) {
	p.EventTimes(slot)
	p.events[slot] = readsAll
}

// Everything adds all that there is, now and in schemas to come.
func (p *Projection) Everything() { p.everything = true }

// Whole reports whether nothing may be left out.
func (p *Projection) Whole() bool { return p == nil || p.everything }

// Members are the members of a user's JSON object of attributes that hold what is read, ascending; of no use when it is Whole. It must not be changed.
func (p *Projection) Members() []string { return p.members }

// EventTypes are the names of the event types that are read, ascending; of no use when it is Whole. It must not be changed.
func (p *Projection) EventTypes() []string { return p.types }

// ReadsEmail and ReadsTimeZone report whether the attribute of that name is read.
func (p *Projection) ReadsEmail() bool { return p.reads(SlotEmail) }

// ReadsTimeZone is described at ReadsEmail.
func (p *Projection) ReadsTimeZone() bool { return p.reads(SlotTimeZone) }

// ReadsConsent reports whether the consent to any channel is read.
func (p *Projection) ReadsConsent() bool {
	for i := range Channels {
		if p.reads(SlotConsent(i)) {
			return true
		}
	}
	return false
}

// ReadsProperties reports whether properties of the events of the type are read.
func (p *Projection) ReadsProperties(name string) bool {
	if p.Whole() {
		return true
	}
	typ, known := p.schema.EventType(name)
	return known && p.events[typ.Slot] == readsAll
}

// reads reports whether the attribute at a slot of any schema of the project is read.
func (p *Projection) reads(slot int) bool {
	return p.Whole() || slot < len(p.attributes) && p.attributes[slot]
}

func (p *Projection) readsDevices() bool { return p.Whole() || p.devices }

func (p *Projection) eventReads(slot int) eventReads {
	switch {
	case p.Whole():
		return readsAll
	case slot < len(p.events):
		return p.events[slot]
	}
	return readsNone
}
