package profile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"eligibility/internal/hlc"
)

// TestPackedPropertiesAreReadBitByBit puts values of every width into events, some of them missing, and reads back exactly them.
func TestPackedPropertiesAreReadBitByBit(t *testing.T) {
	ints := []int64{0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32769, math.MaxInt32, math.MaxInt32 + 1, math.MinInt32 - 1, math.MaxInt64, math.MinInt64}
	doubles := []float64{0, math.Copysign(0, -1), 0.5, 0.1, 19.99, 1e308, -1e308, 5e-324, math.MaxFloat32, 16777217, 1 << 53}
	strs := []string{"", "a", "Łódź", "kind-1", "kind-2", strings.Repeat("x", 255), strings.Repeat("y", 5000)}
	schema := NewSchema()
	properties := make(map[string]Type)
	for i := range 9 { // more than a byte of the mask
		properties[fmt.Sprint("int", i)], properties[fmt.Sprint("double", i)] = Type{Kind: Int}, Type{Kind: Double}
		properties[fmt.Sprint("string", i)], properties[fmt.Sprint("bool", i)] = Type{Kind: String}, Type{Kind: Bool}
	}
	schema, err := schema.WithEventType("buy", properties)
	if err != nil {
		t.Fatal(err)
	}
	typ, _ := schema.EventType("buy")
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		var b Builder
		b.Reset(schema, Key{"p", "u"}, hlc.Timestamp{Wall: 1})
		var want []map[string]any
		for at := range rng.IntN(30) {
			event, text := make(map[string]any), []string{}
			few := 1 + rng.IntN(len(ints)) // so that runs have narrow and wide columns
			for name, p := range properties {
				if rng.IntN(3) == 0 {
					continue
				}
				switch p.Kind {
				case Int:
					event[name] = ints[rng.IntN(few)]
					text = append(text, fmt.Sprintf("%q:%d", name, event[name]))
				case Double:
					event[name] = doubles[rng.IntN(min(few, len(doubles)))]
					text = append(text, fmt.Sprintf("%q:%s", name, strconv.FormatFloat(event[name].(float64), 'g', -1, 64)))
				case String:
					event[name] = strs[rng.IntN(min(few, len(strs)))]
					text = append(text, fmt.Sprintf("%q:%q", name, event[name]))
				case Bool:
					event[name] = rng.IntN(2) == 0
					text = append(text, fmt.Sprintf("%q:%t", name, event[name]))
				}
			}
			slices.Sort(text)
			b.Event("buy", int64(at), []byte("{"+strings.Join(text, ",")+"}"))
			want = append(want, event)
		}
		events := b.Build().Events(typ.Slot)
		if events.Len() != len(want) {
			t.Fatalf("round %d: %d events, want %d", round, events.Len(), len(want))
		}
		for i, event := range want {
			for _, p := range typ.Properties {
				value, ok := event[p.Name]
				if events.Len() > 0 && events.Has(i, p.Slot) != ok {
					t.Fatalf("round %d: event %d has %s: %t, want %t", round, i, p.Name, !ok, ok)
				}
				if !ok {
					continue
				}
				var got any
				switch p.Type.Kind {
				case Int:
					got = events.Int(i, p.Slot)
				case Double:
					if f := events.Double(i, p.Slot); math.Float64bits(f) != math.Float64bits(value.(float64)) {
						t.Fatalf("round %d: event %d: %s is %v, want %v", round, i, p.Name, f, value)
					}
					continue
				case String:
					got = events.String(i, p.Slot)
				case Bool:
					got = events.Bool(i, p.Slot)
				}
				if got != value {
					t.Fatalf("round %d: event %d: %s is %.60v, want %.60v", round, i, p.Name, got, value)
				}
			}
			if events.Has(i, len(typ.Properties)) {
				t.Fatal("an event has a property that nobody declared")
			}
		}
	}
}

// TestATextIsKeptOnce, also when there are more of them than the builder remembers, and when they lie beyond 64 KiB.
func TestTexts(t *testing.T) {
	schema, err := NewSchema().WithEventType("view", map[string]Type{"page": {Kind: String}})
	if err != nil {
		t.Fatal(err)
	}
	typ, _ := schema.EventType("view")
	for _, tt := range []struct{ events, different, long int }{{200, 3, 8}, {200, 200, 8}, {200, 150, 2000}} {
		var b Builder
		for range 2 { // a builder is used again
			b.Reset(schema, Key{"p", "u"}, hlc.Timestamp{Wall: 1})
			page := func(i int) string { return fmt.Sprintf("%0*d", tt.long, i%tt.different) }
			for i := range tt.events {
				b.Event("view", int64(i), fmt.Appendf(nil, `{"page":%q}`, page(i)))
			}
			snap := b.Build()
			events := snap.Events(typ.Slot)
			for i := range tt.events {
				if got := events.String(i, 0); got != page(i) {
					t.Fatalf("%+v: event %d has %.20q, want %.20q", tt, i, got, page(i))
				}
			}
			if tt.different == 3 && len(snap.data) > 200*6+3*tt.long+200 {
				t.Errorf("%d bytes for three texts", len(snap.data))
			}
		}
	}
}
