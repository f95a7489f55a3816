package rules

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
)

// Bounds of the histories that are tried.
const (
	maxMore       = profile.MaxEventsPerType // events
	maxMoments    = 8
	maxProperties = 48 // combinations
)

// happen looks for events of one type whose happening meets the aims: how many, when, and with which properties.
func (a *advisor) happen(about subject, aims []int, f *facts, at int64) ([]Need, bool) {
	c := a.constants(aims)
	moments := a.moments(c, at)
	properties := a.properties(about.slot, aims, c, at)
	counts := a.counts(about.slot, c, at)
	one := func(n int, when int64, with string) tryEvent {
		return tryEvent{slot: about.slot, at: when, n: n, properties: with}
	}
	for _, n := range counts {
		for _, when := range moments {
			for _, with := range properties {
				events := []tryEvent{one(n, when, with)}
				if a.tried(aims, about, &facts{events: events}, at) {
					return a.happened(f, events, c, at), true
				}
			}
		}
	}
	// Some within a short window and others only within a longer one.
	for _, n := range counts {
		for _, m := range counts {
			for i, when := range moments {
				for _, before := range moments[i+1:] {
					events := []tryEvent{one(n, when, properties[0]), one(m, before, properties[0])}
					if a.tried(aims, about, &facts{events: events}, at) {
						return a.happened(f, events, c, at), true
					}
				}
			}
		}
	}
	return nil, false
}

func (a *advisor) happened(f *facts, events []tryEvent, c *constants, at int64) []Need {
	var needs []Need
	for _, e := range events {
		f.events = append(f.events, e)
		needs = append(needs, a.more(e, c, at))
	}
	return needs
}

// moments are when another event makes a difference: now, which every window includes, and just before each window, which only the longer
// ones do.
func (a *advisor) moments(c *constants, at int64) []int64 {
	out := []int64{at}
	windows := slices.Sorted(slices.Values(c.durations))
	for _, w := range windows {
		if a.in.Retention <= 0 || w < a.in.Retention {
			out = append(out, at-w)
		}
	}
	return out[:min(len(out), maxMoments)]
}

// counts are numbers of further events worth trying, ascending.
func (a *advisor) counts(slot int, c *constants, at int64) []int {
	out := []int{1, 2}
	events := a.in.Snapshot.Events(slot)
	present := []int{0, events.Len()}
	for _, w := range c.durations {
		from, to := events.Window(at, w)
		present = append(present, to-from)
	}
	for _, n := range c.ints {
		for _, have := range present {
			for _, more := range []int64{n - int64(have), n - int64(have) + 1} {
				if more > 0 && more <= maxMore {
					out = append(out, int(more))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// properties are JSON objects of properties that the aims look at, "{}" when they look at none.
func (a *advisor) properties(slot int, aims []int, c *constants, at int64) []string {
	typ := &a.b.schema.EventTypes[slot]
	asked := a.asksFor(typ, aims)
	sums := a.missingTo(slot, c, at)
	out := []string{""}
	for i := range typ.Properties {
		p := &typ.Properties[i]
		if !asked[p.Name] {
			continue
		}
		values := c.scalars(p.Type.Kind, at, nil)
		if more := sums[p.Slot]; p.Type.Kind == profile.Double || p.Type.Kind == profile.Int {
			values = append(more, values...)
		}
		var next []string
		for _, value := range values {
			for _, before := range out {
				if len(next) < maxProperties {
					next = append(next, strings.TrimPrefix(before+","+stringJSON(p.Name)+":"+value, ","))
				}
			}
		}
		out = next
	}
	for i := range out {
		out[i] = "{" + out[i] + "}"
	}
	return out
}

// asksFor lists the properties of the type that stand in the aims: in conditions, and as what is aggregated.
func (a *advisor) asksFor(typ *profile.EventType, aims []int) map[string]bool {
	asked := make(map[string]bool)
	for _, i := range aims {
		for name := range propertiesRead(a.aims[i].expr, typ) {
			asked[name] = true
		}
	}
	return asked
}

// propertiesRead is the names of the type's properties that e selects: of an event, or from the catalog of properties.
func propertiesRead(e ast.Expr, typ *profile.EventType) map[string]bool {
	read := make(map[string]bool)
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(node ast.Expr) {
		root, path, ok := pathOf(node)
		if !ok || root == varUser || root == varRequest || root == varCatalog {
			return
		}
		if root == varProperties {
			path, ok = strings.CutPrefix(path, typ.Name+".")
		}
		if _, declared := typ.Property(path); ok && declared {
			read[path] = true
		}
	}))
	return read
}

// missingTo is, by property slot, what an event would have to bring for the sum over a window to come to a constant.
func (a *advisor) missingTo(slot int, c *constants, at int64) map[int][]string {
	out := make(map[int][]string)
	typ := &a.b.schema.EventTypes[slot]
	events := a.in.Snapshot.Events(slot)
	for i := range typ.Properties {
		property := &eventProperty{slot: typ.Properties[i].Slot, kind: typ.Properties[i].Type.Kind}
		if property.kind != profile.Int && property.kind != profile.Double {
			continue
		}
		for _, w := range c.durations {
			var sum tally
			from, to := events.Window(at, w)
			for j := from; j < to; j++ {
				sum.add(events, j, property)
			}
			if sum.n == 0 {
				continue
			}
			var left constants
			for _, n := range c.ints {
				left.ints = insert(left.ints, n-sum.ints)
			}
			for _, n := range c.doubles {
				left.doubles = insert(left.doubles, n-sum.doubles)
			}
			values := left.scalars(property.kind, at, nil)
			out[property.slot] = append(out[property.slot], values[:min(len(values), 6)]...)
		}
	}
	return out
}

// readable is the properties of a tried event for people: total 50.01, kind "tools".
func readable(properties string) string {
	var values map[string]json.RawMessage
	if json.Unmarshal([]byte(properties), &values) != nil {
		return ""
	}
	var items []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		items = append(items, name+" "+string(values[name]))
	}
	return strings.Join(items, ", ")
}
