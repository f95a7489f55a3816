package profile

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"eligibility/internal/hlc"
)

// everySchema has every kind in every shape, and an event type of every kind.
func everySchema(t testing.TB) *Schema {
	t.Helper()
	s := NewSchema()
	properties := make(map[string]Type)
	for kind := Bool; kind <= Timestamp; kind++ {
		for shape := Scalar; shape <= Map; shape++ {
			for i := range 3 {
				var err error
				if s, err = s.WithAttribute(fmt.Sprintf("%s%d%d", kind, shape, i), Type{kind, shape}, false); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range 2 {
			properties[fmt.Sprintf("%s%d", kind, i)] = Type{Kind: kind}
		}
	}
	for _, name := range []string{"buy", "view", "click"} {
		var err error
		if s, err = s.WithEventType(name, properties); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// The values that are drawn: those at which a width or a form of storing changes among them.
var (
	hardInts = []int64{
		0, 1, -1, 7, 99, 4095, 4096, -4096, -4097, math.MaxInt32, math.MaxInt32 + 1, math.MinInt32, math.MinInt32 - 1, 1 << 53, 1 << 57, 1<<57 - 1, -1 << 57,
		math.MaxInt64, math.MinInt64,
	}
	hardDoubles = []float64{
		0, math.Copysign(0, -1), 1, -1, 0.5, 0.25, 0.1, 19.99, -19.99, 0.001, 50.937781, 1.0 / 3, 40.95, 40.96, 1e15, 1<<53 - 1, 1 << 53, 1<<53 + 2, 1e22, 1e308, -1e308, 5e-324,
		math.MaxFloat32, 16777217, 0.1 + 0.2,
	}
	hardTexts = []string{
		"", "a", "kind-1", "kind-2", "Łódź", "日本", "\u2028", "\"\\/", strings.Repeat("x", 254), strings.Repeat("y", 255), strings.Repeat("z", 256), strings.Repeat("ü", 5000),
	}
	hardTimes = []time.Time{
		MinTime, MaxTime.Add(-1), time.Unix(0, 0), time.Unix(0, 1), time.Unix(-1, 0), time.Unix(1<<31-1, 0), time.Unix(1<<31, 0), time.Unix(1_790_000_000, 123_000_000),
		time.Unix(1_790_000_000, 123_456_000), time.Unix(1_790_000_000, 123_456_789),
	}
)

// draw is a value of the kind: as JSON, and as what a snapshot must give back. few is how many of the values are to choose from.
func draw(r *rand.Rand, kind Kind, few int) (text string, want any) {
	switch kind {
	case Bool:
		want = r.IntN(2) == 0
	case Int:
		n := hardInts[r.IntN(min(few, len(hardInts)))]
		return strconv.FormatInt(n, 10), n
	case Double:
		f := hardDoubles[r.IntN(min(few, len(hardDoubles)))]
		return strconv.FormatFloat(f, "eg"[r.IntN(2)], -1, 64), math.Float64bits(f)
	case String:
		want = hardTexts[r.IntN(min(few, len(hardTexts)))]
	case Timestamp:
		at := hardTimes[r.IntN(min(few, len(hardTimes)))].UTC()
		return strconv.Quote(at.Format(time.RFC3339Nano)), at.UnixNano()
	}
	raw, err := json.Marshal(want)
	if err != nil {
		panic(err)
	}
	return string(raw), want
}

// reader is what a snapshot, a list and an event can be asked.
type reader interface {
	Bool(i int) bool
	Int(i int) int64
	Double(i int) float64
	String(i int) string
	Timestamp(i int) int64
}

func got(kind Kind, from reader, i int) any {
	switch kind {
	case Bool:
		return from.Bool(i)
	case Int:
		return from.Int(i)
	case Double:
		return math.Float64bits(from.Double(i))
	case String:
		return from.String(i)
	default:
		return from.Timestamp(i)
	}
}

// eventReader reads the properties of one event.
type eventReader struct {
	e  Events
	at int
}

func (r eventReader) Bool(i int) bool       { return r.e.Bool(r.at, i) }
func (r eventReader) Int(i int) int64       { return r.e.Int(r.at, i) }
func (r eventReader) Double(i int) float64  { return r.e.Double(r.at, i) }
func (r eventReader) String(i int) string   { return r.e.String(r.at, i) }
func (r eventReader) Timestamp(i int) int64 { return r.e.Timestamp(r.at, i) }

// drawnUser is what was put into a builder.
type drawnUser struct {
	attributes map[string]any // a value, or a list of them, or keys and values in order
	invalid    map[string]bool
	events     map[string][]drawnEvent
	since      map[string]int64
}

type drawnEvent struct {
	at         int64
	properties map[string]any
}

func drawUser(r *rand.Rand, schema *Schema, b *Builder) drawnUser {
	u := drawnUser{map[string]any{}, map[string]bool{}, map[string][]drawnEvent{}, map[string]int64{}}
	few := 1 + r.IntN(30)
	var members []string
	for _, a := range schema.Attributes {
		if a.Builtin || r.IntN(3) == 0 {
			continue
		}
		if r.IntN(20) == 0 {
			u.invalid[a.Name] = true
			members = append(members, fmt.Sprintf("%q:[{}]", a.Name))
			continue
		}
		n := r.IntN(5)
		if r.IntN(50) == 0 {
			n = 300
		}
		var items []string
		var want []any
		switch a.Type.Shape {
		case Scalar:
			text, want := draw(r, a.Type.Kind, few)
			u.attributes[a.Name] = want
			members = append(members, fmt.Sprintf("%q:%s", a.Name, text))
			continue
		case List:
			for range n {
				text, value := draw(r, a.Type.Kind, few)
				items, want = append(items, text), append(want, value)
			}
			members = append(members, fmt.Sprintf("%q:[%s]", a.Name, strings.Join(items, ",")))
		case Map:
			for i := range n {
				text, value := draw(r, a.Type.Kind, few)
				key := fmt.Sprintf("key%03d", i)
				items, want = append(items, fmt.Sprintf("%q:%s", key, text)), append(want, key, value)
			}
			members = append(members, fmt.Sprintf("%q:{%s}", a.Name, strings.Join(items, ",")))
		}
		u.attributes[a.Name] = want
	}
	b.Attributes([]byte("{" + strings.Join(members, ",") + "}"))
	for t := range schema.EventTypes {
		typ := &schema.EventTypes[t]
		n := r.IntN(12)
		if r.IntN(100) == 0 {
			n = 3000
		}
		if typ.Reserved || r.IntN(3) == 0 {
			continue
		}
		unit := []int64{1, 1_000, 1_000_000, 1_000_000_000}[r.IntN(4)]
		chance := 1 + r.IntN(4)
		for range n {
			e := drawnEvent{at: (r.Int64N(1<<51)/unit + 1) * unit, properties: map[string]any{}}
			if r.IntN(100) == 0 {
				e.at = []int64{math.MinInt64, math.MaxInt64, 0, -1, MinTime.UnixNano(), MaxTime.UnixNano()}[r.IntN(6)]
			}
			var members []string
			for _, p := range typ.Properties {
				if chance > 1 && r.IntN(chance) == 0 {
					continue
				}
				text, want := draw(r, p.Type.Kind, few)
				members = append(members, fmt.Sprintf("%q: %s", p.Name, text))
				e.properties[p.Name] = want
			}
			r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
			b.Event(typ.Name, e.at, []byte("{ "+strings.Join(members, " , ")+"}"))
			u.events[typ.Name] = append(u.events[typ.Name], e)
		}
		slices.SortStableFunc(u.events[typ.Name], func(x, y drawnEvent) int {
			switch {
			case x.at < y.at:
				return -1
			case x.at > y.at:
				return 1
			}
			return 0
		})
		if r.IntN(4) == 0 {
			u.since[typ.Name] = r.Int64N(1 << 60)
			b.Truncated(typ.Name, u.since[typ.Name])
		}
	}
	return u
}

// check names what the snapshot has that was not put in, or lacks.
func (u drawnUser) check(schema *Schema, s *Snapshot, r *rand.Rand) error {
	for i := range schema.Attributes {
		a := &schema.Attributes[i]
		want, has := u.attributes[a.Name]
		state := Absent
		if has {
			state = Present
		} else if u.invalid[a.Name] {
			state = Invalid
		}
		if s.State(a.Slot) != state {
			return fmt.Errorf("state of %s is %d, want %d", a.Name, s.State(a.Slot), state)
		}
		switch {
		case !has:
		case a.Type.Shape == Scalar:
			if got := got(a.Type.Kind, s, a.Slot); got != want {
				return fmt.Errorf("%s is %.40v, want %.40v", a.Name, got, want)
			}
			if err := checkWord(a, s); err != nil {
				return err
			}
		default:
			list, want := s.Values(a.Slot), want.([]any)
			if list.Len() != len(want) {
				return fmt.Errorf("%s has %d values, want %d", a.Name, list.Len(), len(want))
			}
			for i := range want {
				if got := got(a.Type.kindOf(i), list, i); got != want[i] {
					return fmt.Errorf("%s has %.40v at %d, want %.40v", a.Name, got, i, want[i])
				}
			}
		}
	}
	for i := range schema.EventTypes {
		typ := &schema.EventTypes[i]
		if err := u.checkEvents(typ, s.Events(typ.Slot), r); err != nil {
			return fmt.Errorf("%s: %w", typ.Name, err)
		}
	}
	return nil
}

// checkWord: the bits of a value and its text are the same by every way to them, and those of a number by every kind.
func checkWord(a *Attribute, s *Snapshot) error {
	if a.Type.Kind == String {
		if text, ok := s.Text(a.Slot); !ok || text != s.String(a.Slot) {
			return fmt.Errorf("the text of %s is %.40q, %t", a.Name, text, ok)
		}
		return nil
	}
	bits, ok := s.Bits(a.Slot)
	want := uint64(s.Int(a.Slot))
	if a.Type.Kind == Double {
		want = math.Float64bits(s.Double(a.Slot))
	}
	if !ok || bits != want || s.Timestamp(a.Slot) != int64(want) || math.Float64bits(s.Double(a.Slot)) != want || a.Type.Kind != Bool && uint64(s.Int(a.Slot)) != want {
		return fmt.Errorf("the bits of %s are %x, %t, want %x", a.Name, bits, ok, want)
	}
	return nil
}

func (u drawnUser) checkEvents(typ *EventType, events Events, r *rand.Rand) error {
	want := u.events[typ.Name]
	if events.Len() != len(want) || events.Since() != u.since[typ.Name] {
		return fmt.Errorf("%d events since %d, want %d since %d", events.Len(), events.Since(), len(want), u.since[typ.Name])
	}
	for i, e := range want {
		if events.At(i) != e.at {
			return fmt.Errorf("event %d is at %d, want %d", i, events.At(i), e.at)
		}
		for _, p := range typ.Properties {
			value, has := e.properties[p.Name]
			if events.Has(i, p.Slot) != has {
				return fmt.Errorf("event %d has %s: %t, want %t", i, p.Name, !has, has)
			}
			if has && got(p.Type.Kind, eventReader{events, i}, p.Slot) != value {
				return fmt.Errorf("event %d: %s is %.40v, want %.40v", i, p.Name, got(p.Type.Kind, eventReader{events, i}, p.Slot), value)
			}
		}
		if events.Has(i, len(typ.Properties)) {
			return fmt.Errorf("event %d has a property that nobody declared", i)
		}
	}
	for range 20 {
		now, w := r.Int64N(1<<51), r.Int64N(1<<50)
		if len(want) > 0 && r.IntN(2) == 0 {
			now = want[r.IntN(len(want))].at + r.Int64N(3) - 1
		}
		if now < math.MinInt64/2 || now > math.MaxInt64-1 {
			continue // no clock shows it
		}
		from, to := 0, 0
		for _, e := range want {
			if e.at <= now-w {
				from++
			}
			if e.at <= now {
				to++
			}
		}
		if gotFrom, gotTo := events.Window(now, w); gotFrom != from || gotTo != to {
			return fmt.Errorf("window (%d-%d, %d] is [%d, %d), want [%d, %d)", now, w, now, gotFrom, gotTo, from, to)
		}
	}
	return nil
}

// TestWhatIsPutInComesOut draws users of every kind of value and reads back, bit by bit, what was put in.
func TestWhatIsPutInComesOut(t *testing.T) {
	schema := everySchema(t)
	var b Builder
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		b.Reset(schema, Key{"shop", fmt.Sprint("user-", seed)}, hlc.Timestamp{Wall: 1})
		u := drawUser(r, schema, &b)
		s := b.Build()
		if want := (Key{"shop", fmt.Sprint("user-", seed)}); s.Key != want {
			t.Fatalf("seed %d: the key is %v, want %v", seed, s.Key, want)
		}
		if err := u.check(schema, s, r); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestNumbersThatNoJSONHas are kept as well as any: what is stored has no say in them.
func TestNumbersThatNoJSONHas(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Float64frombits(0x7ff0000000000001), math.Float64frombits(0xfff8000000000123), math.Inf(1), math.Inf(-1)} {
		v := numberOf(Double, math.Float64bits(f))
		if v.bytes != wideBytes || v.need != neverFits || v.wide != math.Float64bits(f) {
			t.Errorf("%v is kept as %+v, want as it is", f, v)
		}
		c := column{kind: Double, code: codeNever}
		if c.scale(f); c.code != codeFloat {
			t.Errorf("%v is a decimal", f)
		}
		c = c.floats(func(yield func(uint64) bool) { yield(math.Float64bits(f)) })
		if back := c.packed(math.Float64bits(f)); c.width == 64 && back != math.Float64bits(f) ||
			c.width == 32 && math.Float64bits(float64(math.Float32frombits(uint32(back)))) != math.Float64bits(f) {
			t.Errorf("%v is kept as %x in %d bits", f, back, c.width)
		}
	}
}

func TestMoreEventsThanARunHasRoomFor(t *testing.T) {
	schema := everySchema(t)
	buy, _ := schema.EventType("buy")
	var b Builder
	b.Reset(schema, Key{"shop", "u"}, hlc.Timestamp{})
	b.pending = make([]pendingEvent, maxRun+3)
	for i := range b.pending {
		b.pending[i] = pendingEvent{slot: int32(buy.Slot), seq: int32(i), at: int64(i)}
	}
	b.records = make([]uint64, 1+len(buy.Properties))
	events := b.Build().Events(buy.Slot)
	if events.Len() != maxRun || events.At(0) != 3 || events.Since() != 3 {
		t.Errorf("%d events from %d, complete since %d; want %d from 3 since 3", events.Len(), events.At(0), events.Since(), maxRun)
	}
}

// FuzzBuilder loads rows that others may have written: it must not panic, must not take more memory than the rows are worth, and must read an object plainly as the
// parser does.
func FuzzBuilder(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		number, _ := draw(r, Double, 100)
		text, _ := draw(r, String, 100)
		f.Add([]byte(`{"double00":`+number+`,"string00":`+text+`}`), []byte(`{"double0":`+number+`,"string0":`+text+`,"timestamp0":"2026-01-01T00:00:00Z","bool0":true}`), int64(5), int64(7))
	}
	for _, text := range []string{
		`{}`, ` { } `, `{"int0":5.0}`, `{"int0":5e2,"int0":7}`, `{"int0":1,"int0":2}`, `{"double0":-0}`, `{"double0":-0.0}`, `{"double0":01}`, `{"double0":1.}`, `{"double0":.5}`,
		`{"int0":-}`, `{"int0":1-2}`, `{"int0":1.2.3}`, `{"int0":NaN}`, `{"double0":inf}`, `{"string0":"\u0000"}`, `{"string0":"a\"b"}`, `{"string0":"`, `{"string0":null}`,
		`{"bool0":tru}`, `{"bool0":truex}`, `{"string0":{"a":1}}`, `{"int0":1}x`, `{"int0":1,}`, `{,}`, `[1]`, `nul`, "{\"string0\":\"\x00\xff\"}", `{"int0":99999999999999999999}`,
		`{"double0":123456789012345678}`, `{"double0":0.1234567890123456}`, `{"timestamp0":"1700-01-01T00:00:00Z"}`, `{"timestamp0":5}`, `{"string0" : "a" , "int0" : 7 }`,
	} {
		f.Add([]byte(text), []byte(text), int64(-1), int64(math.MaxInt64))
	}
	schema := everySchema(f)
	buy, _ := schema.EventType("buy")
	f.Fuzz(func(t *testing.T, attributes, properties []byte, first, second int64) {
		var b Builder
		b.Reset(schema, Key{"shop", "u"}, hlc.Timestamp{Wall: 1})
		b.Attributes(attributes)
		for _, at := range []int64{first, second, first} {
			b.Event("buy", at, properties)
		}
		b.Event("view", second, properties)
		b.Truncated("click", first)
		s := b.Build()
		if most := 1000 + 8*len(attributes) + 16*len(properties); len(s.data) > most {
			t.Errorf("%d bytes of rows take %d", len(attributes)+len(properties), len(s.data))
		}
		readAll(schema, s)
		var plain, parsed Builder
		for _, b := range []*Builder{&plain, &parsed} {
			b.Reset(schema, Key{"shop", "u"}, hlc.Timestamp{Wall: 1})
		}
		plain.Event("buy", first, properties)
		parsed.Event("buy", first, nil)
		parsed.parsed(buy, properties, parsed.records)
		if where := Difference(schema, plain.Build(), parsed.Build(), math.MinInt64); where != "" {
			t.Errorf("%q is read plainly with another outcome: %s", properties, where)
		}
	})
}

// readAll reads everything that a schema lets one read.
func readAll(schema *Schema, s *Snapshot) {
	for i := range schema.Attributes {
		a := &schema.Attributes[i]
		switch {
		case s.State(i) != Present:
		case a.Type.Shape == Scalar:
			got(a.Type.Kind, s, i)
		default:
			for j, list := 0, s.Values(i); j < list.Len(); j++ {
				got(a.Type.kindOf(j), list, j)
			}
		}
	}
	for i := range schema.EventTypes {
		events := s.Events(i)
		for j := range events.Len() {
			events.At(j)
			for _, p := range schema.EventTypes[i].Properties {
				if events.Has(j, p.Slot) {
					got(p.Type.Kind, eventReader{events, j}, p.Slot)
				}
			}
		}
	}
}
