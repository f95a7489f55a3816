package strictjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"eligibility/internal/problem"
)

func TestItemsRefusesWithCode(t *testing.T) {
	for _, c := range []struct{ name, body, code string }{
		{"empty", "", "empty_body"},
		{"object", `{}`, "invalid_json_type"},
		{"string", `"x"`, "invalid_json_type"},
		{"none", ` [ ] `, "out_of_range"},
		{"truncated", `[{"a":1}`, "invalid_json"},
		{"truncated item", `[{"a":`, "invalid_json"},
		{"no comma", `[1 2]`, "invalid_json"},
		{"trailing comma", `[1,]`, "invalid_json"},
		{"trailing data", `[1]x`, "invalid_json"},
		{"two arrays", `[1][2]`, "invalid_json"},
		{"duplicate name in an item", `[{"a":1,"a":2}]`, "duplicate_key"},
		{"bad UTF-8", "[\"\xff\"]", "invalid_utf8"},
		{"four items", `[1,2,3,4]`, "too_many_items"},
		{"a million items", "[" + strings.Repeat("{},", 1_000_000) + "{}]", "too_many_items"},
		{"deep", strings.Repeat("[", 10_000), "too_deep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Items([]byte(c.body), 3)
			var p *problem.Problem
			if !errors.As(err, &p) || p.Code != c.code {
				t.Fatalf("Items(%.40q) = %v, want %s", c.body, err, c.code)
			}
		})
	}
}

func TestItemsAreTheArraysItems(t *testing.T) {
	for _, body := range []string{`[1]`, ` [ {"a" : [1, 2]} , "x,]" ,null ] `, "[\n[],{}\t]"} {
		got, err := Items([]byte(body), 3)
		if err != nil {
			t.Fatalf("Items(%q): %v", body, err)
		}
		var want []json.RawMessage
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("Items(%q) has %d items, want %d", body, len(got), len(want))
		}
		for i := range want {
			if string(got[i]) != string(want[i]) {
				t.Errorf("Items(%q)[%d] = %q, want %q", body, i, got[i], want[i])
			}
		}
	}
}

func TestALongListCostsNoMoreThanAShortOne(t *testing.T) {
	long := []byte("[" + strings.Repeat("{},", 1_000_000) + "{}]")
	allocs := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Items(long, 1000)
		}
	})
	if bytes := allocs.AllocedBytesPerOp(); bytes > 256<<10 {
		t.Errorf("refusing a list of a million items took %d bytes", bytes)
	}
}
