package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestZones(t *testing.T) {
	z := newZones()
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		want string // the local time, or "" for no zone
	}{
		{"UTC", "12:00"},
		{"Europe/Berlin", "14:00"},
		{"America/New_York", "08:00"},
		{"Asia/Kolkata", "17:30"},
		{"Australia/Lord_Howe", "22:30"},
		{"+05:30", "17:30"},
		{"-08:00", "04:00"},
		{"+00:00", "12:00"},
		{"Etc/GMT+3", "09:00"},
		{"", ""},
		{"Local", ""},
		{"local", ""},
		{"Mars/Phobos", ""},
		{"../UTC", ""},
		{"/etc/passwd", ""},
		{"Europe/../UTC", ""},
		{".", ""},
		{"Europe", ""},
		{"+5:30", ""},
		{"+05:60", ""},
		{"+15:00", ""},
		{"+05", ""},
		{"Europe/Berlin\x00", ""},
		{"Europe\\Berlin", ""},
		{strings.Repeat("A", maxZoneBytes+1), ""},
	} {
		for range 2 { // the second answer comes from memory
			loc, ok := z.location(tt.name)
			if ok != (tt.want != "") {
				t.Errorf("%q: got a zone: %v, want %v", tt.name, ok, !ok)
			} else if ok && at.In(loc).Format("15:04") != tt.want {
				t.Errorf("%q: it is %s there, want %s", tt.name, at.In(loc).Format("15:04"), tt.want)
			}
		}
	}
}

func TestUnknownZonesAreBounded(t *testing.T) {
	z := newZones()
	for i := range 2*maxUnknownZones + 7 {
		if _, ok := z.location(fmt.Sprint("Nowhere!", i)); ok {
			t.Fatal("found a zone that is nowhere")
		}
	}
	if len(z.unknown) > maxUnknownZones {
		t.Errorf("%d unknown zones are kept, want at most %d", len(z.unknown), maxUnknownZones)
	}
}

func TestZoneAllocatesNothingOnceLoaded(t *testing.T) {
	z := newZones()
	z.location("Europe/Berlin")
	if n := testing.AllocsPerRun(100, func() { z.location("Europe/Berlin") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPatternsAreBounded(t *testing.T) {
	p := newPatterns()
	for i := range maxPatterns + 10 {
		if _, err := p.get(fmt.Sprint("a", i)); err != nil {
			t.Fatal(err)
		}
	}
	if p.compiled.len() != maxPatterns {
		t.Errorf("%d patterns are kept, want %d", p.compiled.len(), maxPatterns)
	}
}

func TestPatternRefusesLongTexts(t *testing.T) {
	e := languageEnv(t)
	tree, issues := e.check("user.country.matches('^a+$')", checkLimits{})
	if tree == nil {
		t.Fatal(issues)
	}
	program, err := e.program(tree.NativeRep())
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.patterns.get("^a+$")
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{p.maxBytes: "true", p.maxBytes + 1: "invalid_argument matches"} {
		user := languageUser{Attributes: `{"country":"` + strings.Repeat("a", n) + `"}`}
		if got := outcomeText(t, program, languageInput(user.snapshot(e.schema, "u"))); got != want {
			t.Errorf("a text of %d bytes: got %s, want %s", n, got, want)
		}
	}
}
