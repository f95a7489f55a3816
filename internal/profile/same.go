package profile

import (
	"cmp"
	"slices"
	"sort"
)

// Difference names the first thing in which two snapshots of one user differ, or is "". Both were built with the schema. Of the events, those count
// that both are complete for, from the wall nanosecond from on: a store drops old events as time goes by, and cuts long histories. Stamps do not count.
//
// It says where, never what: the name of an attribute or event type is no personal datum, its value is.
func Difference(schema *Schema, a, b *Snapshot, from int64) string {
	switch {
	case a.Key != b.Key:
		return "key"
	case a.Found != b.Found:
		return "profile"
	case a.Broken != b.Broken:
		return "readable profile"
	case a.Devices != b.Devices:
		return "devices"
	}
	for i := range schema.Attributes {
		if !sameValue(schema.Attributes[i].Type, a, b, i) {
			return "attribute " + schema.Attributes[i].Name
		}
	}
	for i := range schema.EventTypes {
		if !sameEvents(&schema.EventTypes[i], a, b, from) {
			return "events " + schema.EventTypes[i].Name
		}
	}
	return ""
}

func sameValue(typ Type, a, b *Snapshot, slot int) bool {
	state := a.State(slot)
	if state != b.State(slot) {
		return false
	}
	switch {
	case state != Present:
		return true
	case typ.Shape != Scalar:
		return sameValues(typ, a.Values(slot), b.Values(slot))
	case typ.Kind == String:
		return a.String(slot) == b.String(slot)
	}
	left, _ := a.Bits(slot)
	right, _ := b.Bits(slot)
	return left == right
}

func sameValues(typ Type, a, b Values) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		kind := typ.kindOf(i)
		if kind == String && a.String(i) != b.String(i) || kind != String && a.Bits(i) != b.Bits(i) {
			return false
		}
	}
	return true
}

// sameEvents compares the events by time and properties. Those of one instant have no order of their own, so they are compared in a canonical one.
func sameEvents(typ *EventType, a, b *Snapshot, from int64) bool {
	left, right := a.Events(typ.Slot), b.Events(typ.Slot)
	from = max(from, left.Since(), right.Since())
	i, j := first(left, from), first(right, from)
	if left.Len()-i != right.Len()-j {
		return false
	}
	for i < left.Len() {
		n := sameInstant(left, i)
		if left.At(i) != right.At(j) || n != sameInstant(right, j) {
			return false
		}
		l, r := instant(typ, left, i, n), instant(typ, right, j, n)
		if !slices.EqualFunc(l, r, func(l, r event) bool { return l.compare(typ, &r) == 0 }) {
			return false
		}
		i, j = i+n, j+n
	}
	return true
}

func first(e Events, from int64) int {
	return sort.Search(e.Len(), func(i int) bool { return e.At(i) >= from })
}

// sameInstant is how many events from i on have the time of event i.
func sameInstant(e Events, i int) int {
	n := 1
	for i+n < e.Len() && e.At(i+n) == e.At(i) {
		n++
	}
	return n
}

// event is event i of a list.
type event struct {
	Events
	i int
}

// instant sorts events i to i+n-1, which share a time, by their properties.
func instant(typ *EventType, e Events, i, n int) []event {
	out := make([]event, n)
	for k := range out {
		out[k] = event{e, i + k}
	}
	slices.SortFunc(out, func(l, r event) int { return l.compare(typ, &r) })
	return out
}

func (e *event) compare(typ *EventType, other *event) int {
	for _, p := range typ.Properties {
		has, otherHas := e.Has(e.i, p.Slot), other.Has(other.i, p.Slot)
		switch {
		case has != otherHas:
			if has {
				return 1
			}
			return -1
		case !has:
			continue
		}
		var order int
		if p.Type.Kind == String {
			order = cmp.Compare(e.String(e.i, p.Slot), other.String(other.i, p.Slot))
		} else { // by their bits: minus zero is another value than zero
			order = cmp.Compare(e.Bits(e.i, p.Slot, p.Type.Kind), other.Bits(other.i, p.Slot, p.Type.Kind))
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// Difference names the first thing that is asked for and in which two snapshots of one user differ, or is "". Both were built with the schema; part must be without what is not
// asked for.
func (p *Projection) Difference(schema *Schema, part, whole *Snapshot) string {
	if p.readsDevices() && part.Devices != whole.Devices || !p.readsDevices() && part.Devices != 0 {
		return "devices"
	}
	for i := range schema.Attributes {
		if p.reads(i) && !sameValue(schema.Attributes[i].Type, part, whole, i) || !p.reads(i) && part.State(i) == Present {
			return "attribute " + schema.Attributes[i].Name
		}
	}
	for i := range schema.EventTypes {
		typ := schema.EventTypes[i]
		switch p.eventReads(i) {
		case readsNone:
			if e := part.Events(i); e.Len() > 0 || e.Since() > 0 {
				return "events " + typ.Name
			}
			continue
		case readsTimes:
			typ.Properties = nil
		case readsAll:
		}
		if part.Events(i).Since() != whole.Events(i).Since() || !sameEvents(&typ, part, whole, 0) {
			return "events " + typ.Name
		}
	}
	return ""
}
