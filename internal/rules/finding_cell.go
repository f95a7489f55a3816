package rules

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// divide makes the cells of a domain. It is not ok when they would be too many or the values are of a kind that has no neighbours.
func (f *finder) divide(d *domain) bool {
	switch d.kind {
	case domainTruth:
		d.cells = []domainCell{{truth: isTrue}, {truth: isFalse}, {truth: isError}}
		return true
	case domainStream:
		return f.divideStream(d)
	}
	values, ok := d.values()
	if !ok || len(values) > maxCells {
		return false
	}
	switch d.kind {
	case domainAttribute:
		f.divideAttribute(d, values)
	case domainField:
		f.divideField(d, values)
	case domainTerm:
		for _, value := range values {
			d.cells = append(d.cells, domainCell{vars: cellVars{value}})
		}
		if !d.sure {
			d.cells = append(d.cells, domainCell{vars: cellVars{types.NewErr("no value")}, unset: true})
		}
	}
	return true
}

// cellVars gives a term its value.
type cellVars struct{ value ref.Val }

var _ cel.Activation = cellVars{}

// ResolveName returns the term's value.
func (v cellVars) ResolveName(name string) (any, bool) { return v.value, name == varCell }

// Parent says that there is no outer scope.
func (cellVars) Parent() cel.Activation { return nil }

// values are the constants of all clauses and what lies next to them: of any two values that some clause tells apart, they hold one of
// each side.
func (d *domain) values() ([]ref.Val, bool) {
	if d.kind == domainTerm && d.name == varChannel {
		out := []ref.Val{types.String("")}
		for _, channel := range profile.Channels {
			out = append(out, types.String(channel))
		}
		return out, true
	}
	v := neighbours{seen: make(map[string]bool), domain: d}
	switch d.of {
	case types.BoolKind:
		return []ref.Val{types.True, types.False}, true
	case types.IntKind:
		v.number(types.Int(max(d.least, 0)))
		if d.most > d.least {
			v.number(types.Int(d.most))
		}
	case types.DoubleKind:
		v.number(types.Double(0))
	case types.StringKind:
		v.around(types.String("")) // a built-in attribute cannot be empty: there is always another value too
	case types.TimestampKind:
		v.instant(profile.MinTime)
		v.instant(profile.MaxTime.Add(-1))
	case types.DurationKind:
		v.duration(0)
	default:
		return nil, false
	}
	for _, u := range d.uses {
		for _, constant := range u.constants {
			if !v.around(constant) || len(v.out) > maxCells {
				return nil, false
			}
		}
	}
	return v.out, true
}

// neighbours collects values, each once.
type neighbours struct {
	domain *domain
	seen   map[string]bool
	out    []ref.Val
}

func (v *neighbours) add(value ref.Val) {
	if key := fmt.Sprint(value.Type(), value.Value()); !v.seen[key] {
		v.seen[key] = true
		v.out = append(v.out, value)
	}
}

// around adds a constant and its neighbours, false for one that cannot be compared exactly.
func (v *neighbours) around(constant ref.Val) bool {
	switch c := constant.(type) {
	case types.Int, types.Double:
		return v.number(c)
	case types.String:
		v.add(c)
		v.add(c + "\x00") // nothing lies between the two
		return v.domain.of == types.StringKind
	case types.Timestamp:
		for _, d := range []time.Duration{-1, 0, 1} {
			v.instant(c.Time.Add(d))
		}
		return v.domain.of == types.TimestampKind
	case types.Duration:
		for _, d := range []time.Duration{-1, 0, 1} {
			v.duration(c.Duration + d)
		}
		return v.domain.of == types.DurationKind
	case types.Bool:
		return true
	}
	return false
}

// exactInts are the integers that a double holds exactly; numbers of the two kinds are compared as doubles.
const exactInts = 1 << 53

func (v *neighbours) number(constant ref.Val) bool {
	switch c := constant.(type) {
	case types.Int:
		if v.domain.of == types.DoubleKind {
			if c < -exactInts || c > exactInts {
				return false
			}
			return v.number(types.Double(c))
		}
		for _, d := range []types.Int{-1, 0, 1} {
			if n := c + d; (n < c) == (d < 0) { // no overflow
				v.integer(int64(n))
			}
		}
	case types.Double:
		if v.domain.of == types.IntKind {
			if !(math.Abs(float64(c)) < exactInts) {
				return false
			}
			return v.number(types.Int(math.Floor(float64(c)))) && v.number(types.Int(math.Ceil(float64(c))))
		}
		for _, near := range []float64{math.Nextafter(float64(c), math.Inf(-1)), float64(c), math.Nextafter(float64(c), math.Inf(1))} {
			if !math.IsInf(near, 0) && !math.IsNaN(near) {
				v.add(types.Double(near))
			}
		}
	}
	return v.domain.of == types.IntKind || v.domain.of == types.DoubleKind
}

func (v *neighbours) integer(n int64) {
	if d := v.domain; d.least == d.most || n >= d.least && n <= d.most {
		v.add(types.Int(n))
	}
}

func (v *neighbours) instant(t time.Time) {
	if !t.Before(profile.MinTime) && t.Before(profile.MaxTime) {
		v.add(types.Timestamp{Time: t.UTC()})
	}
}

func (v *neighbours) duration(d time.Duration) { v.add(types.Duration{Duration: d}) }

// divideAttribute makes a user for each value, one without the attribute and one whose stored value is of another type.
func (f *finder) divideAttribute(d *domain, values []ref.Val) {
	attr := &f.b.schema.Attributes[d.slot]
	var b profile.Builder
	user := func(fill func()) {
		b.Reset(f.b.schema, profile.Key{Project: "cell", User: "cell"}, hlc.Timestamp{Wall: cellNow})
		if fill != nil {
			fill()
		}
		snapshot := b.Build()
		d.cells = append(d.cells, domainCell{
			vars: &Input{Snapshot: snapshot, Now: cellNow}, unset: snapshot.State(d.slot) != profile.Present,
		})
	}
	stored := func(text string) {
		object := make(map[string]any)
		nest(object, attr.Name, json.RawMessage(text))
		encoded, err := json.Marshal(object)
		if err == nil {
			b.Attributes(encoded)
		}
	}
	for _, value := range values {
		user(func() {
			if attr.Builtin {
				setBuiltin(&b, attr, value)
				return
			}
			stored(wordOf(value).json(attr.Type.Kind))
		})
	}
	user(nil)
	if !attr.Builtin {
		user(func() { stored("[]") })
	}
}

func setBuiltin(b *profile.Builder, attr *profile.Attribute, value ref.Val) {
	word := wordOf(value)
	switch attr.Slot {
	case profile.SlotEmail:
		b.Email(word.Text)
	case profile.SlotTimeZone:
		b.TimeZone(word.Text)
	default:
		b.Consent(profile.Channels[attr.Slot-profile.SlotConsent(0)], word.Bits != 0)
	}
}

// divideField makes a request for each value, and one without the field.
func (f *finder) divideField(d *domain, values []ref.Val) {
	request := func(value ContextValue) {
		context := make([]ContextValue, d.slot+1)
		context[d.slot] = value
		d.cells = append(d.cells, domainCell{vars: &Input{Snapshot: new(profile.Snapshot), Context: context, Now: cellNow}, unset: !value.Set})
	}
	for _, value := range values {
		request(ContextValue(wordOf(value)))
	}
	request(ContextValue{})
}

// word is a scalar as snapshots and requests hold it.
type word ContextValue

func wordOf(value ref.Val) word {
	w := word{Set: true}
	switch v := value.(type) {
	case types.Bool:
		if v {
			w.Bits = 1
		}
	case types.Int:
		w.Bits = uint64(v)
	case types.Double:
		w.Bits = math.Float64bits(float64(v))
	case types.Timestamp:
		w.Bits = uint64(v.UnixNano())
	case types.String:
		w.Text = string(v)
	}
	return w
}

func (w word) json(kind profile.Kind) string {
	if kind == profile.String {
		return stringJSON(w.Text)
	}
	return wordJSON(kind, w.Bits)
}
