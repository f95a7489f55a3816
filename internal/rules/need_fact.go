package rules

import (
	"encoding/json"
	"math"
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/types/ref"
)

// attribute looks for a value of the user's attribute that meets the aims. On success the value is in f.
func (a *advisor) attribute(about subject, aims []int, f *facts, at int64) ([]Need, bool) {
	attr := &a.b.schema.Attributes[about.slot]
	stored := attributeJSON(a.in.Snapshot, attr)
	var present ref.Val
	now := stateText(a.in.Snapshot.State(about.slot))
	if a.in.Snapshot.State(about.slot) == profile.Present {
		present = boxAttribute(a.in.Snapshot, about.slot, attr.Type)
		now = shown(present)
	}
	for _, value := range append(a.constants(aims).values(attr.Type, at, present, stored), "") {
		one := &facts{attributes: map[int]string{about.slot: value}}
		if !a.tried(aims, about, one, at) {
			continue
		}
		if f.attributes == nil {
			f.attributes = make(map[int]string)
		}
		f.attributes[about.slot] = value
		example := stateText(profile.Absent)
		if tried := a.trial.only(about, one, at).Snapshot; value != "" && tried.State(about.slot) == profile.Present {
			example = shown(boxAttribute(tried, about.slot, attr.Type))
		}
		return []Need{a.asked(NeedAttribute, varUser+"."+attr.Name, now, example, aims)}, true
	}
	return nil, false
}

func stateText(s profile.State) string {
	if s == profile.Invalid {
		return "invalid"
	}
	return "missing"
}

// request looks for a value of the request's attribute, or for a channel, that meets the aims.
func (a *advisor) request(about subject, aims []int, f *facts, at int64) ([]Need, bool) {
	c := a.constants(aims)
	if about.kind == subjectChannel {
		for _, channel := range append(c.texts, profile.Channels...) {
			if a.tried(aims, about, &facts{channel: &channel}, at) {
				f.channel = &channel
				return []Need{a.asked(NeedRequest, varChannel, quoted(a.in.Channel), quoted(channel), aims)}, true
			}
		}
		return nil, false
	}
	field := a.b.context[about.slot]
	now, present := stateText(profile.Absent), ref.Val(nil)
	if about.slot < len(a.in.Context) && a.in.Context[about.slot].Set {
		v := a.in.Context[about.slot]
		present = boxScalar(field.Type.Kind, v.Bits, v.Text)
		now = shown(present)
	}
	for _, text := range append(c.scalars(field.Type.Kind, at, present), "") {
		value := contextWord(field.Type.Kind, text)
		if !a.tried(aims, about, &facts{fields: map[int]ContextValue{about.slot: value}}, at) {
			continue
		}
		if f.fields == nil {
			f.fields = make(map[int]ContextValue)
		}
		f.fields[about.slot] = value
		example := stateText(profile.Absent)
		if value.Set {
			example = shown(boxScalar(field.Type.Kind, value.Bits, value.Text))
		}
		return []Need{a.asked(NeedRequest, varRequest+"."+field.Name, now, example, aims)}, true
	}
	return nil, false
}

// contextWord is a request's value from the JSON that constants.scalars writes; "" is none.
func contextWord(kind profile.Kind, text string) ContextValue {
	v := ContextValue{Set: text != ""}
	switch kind {
	case profile.Bool:
		if text == "true" {
			v.Bits = 1
		}
	case profile.Int:
		var n int64
		v.Set = v.Set && json.Unmarshal([]byte(text), &n) == nil
		v.Bits = uint64(n)
	case profile.Double:
		var n float64
		v.Set = v.Set && json.Unmarshal([]byte(text), &n) == nil
		v.Bits = math.Float64bits(n)
	case profile.String:
		v.Set = v.Set && json.Unmarshal([]byte(text), &v.Text) == nil
	case profile.Timestamp:
		var at time.Time
		v.Set = v.Set && json.Unmarshal([]byte(text), &at) == nil
		v.Bits = uint64(at.UnixNano())
	}
	return v
}

// conditions tells the aims that do not hold as they are written.
func (a *advisor) conditions(aims []int) []Need {
	var out []Need
	for _, i := range aims {
		if aim := &a.aims[i]; !aim.met {
			out = append(out, Need{Kind: NeedCondition, Need: aim.text, Text: aim.text + " would have to be true"})
		}
	}
	return out
}
