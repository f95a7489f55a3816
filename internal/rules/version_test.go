package rules

import (
	"testing"

	"pgregory.net/rapid"
)

func TestVersionsAreOrdered(t *testing.T) {
	ordered := []string{
		"0.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0",
		"1.0.1", "1.2", "1.10", "2", "2.0.0.1", "10.0",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			v, ok := parseVersion(a)
			w, okW := parseVersion(b)
			if !ok || !okW {
				t.Fatalf("%s or %s does not parse", a, b)
			}
			if got, want := v.compare(w), sign(i-j); got != want {
				t.Errorf("%s against %s: got %d, want %d", a, b, got, want)
			}
		}
	}
}

func sign(n int) int { return max(-1, min(n, 1)) }

func TestVersionsThatAreEqual(t *testing.T) {
	for _, tt := range [][2]string{{"5.2", "5.2.0"}, {"v5.2", "5.2.0.0"}, {"5.2.0+build.7", "5.2"}, {"05.2", "5.2"}, {"1-rc.01", "1-rc.1"}} {
		v, _ := parseVersion(tt[0])
		w, _ := parseVersion(tt[1])
		if v.compare(w) != 0 || v.Equal(&w) != w.Equal(&v) {
			t.Errorf("%s and %s differ", tt[0], tt[1])
		}
	}
}

func TestTextsThatAreNoVersion(t *testing.T) {
	for _, text := range []string{
		"", "v", ".", "1.", ".1", "1..2", "1.2.3.4.5", "1.x", "-1", "1.2-", "1.2-a..b", "1.2-ü", "1234567890", " 1", "1.0 (7)",
	} {
		if v, ok := parseVersion(text); ok {
			t.Errorf("%q parses as %v", text, v)
		}
	}
}

// TestVersionOrderIsTotal draws versions and holds their order against the laws of an order.
func TestVersionOrderIsTotal(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) version {
		text := rapid.StringMatching(`[0-3](\.[0-3]){0,3}(-[ab0-2]{1,2}(\.[ab0-2]{1,2}){0,2})?`).Draw(t, "version")
		v, ok := parseVersion(text)
		if !ok {
			t.Fatalf("%q does not parse", text)
		}
		return v
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := draw.Draw(t, "a"), draw.Draw(t, "b"), draw.Draw(t, "c")
		if a.compare(b) != -b.compare(a) {
			t.Fatalf("%v and %v are not ordered one way", a, b)
		}
		if a.compare(b) <= 0 && b.compare(c) <= 0 && a.compare(c) > 0 {
			t.Fatalf("%v, %v, %v go round in a circle", a, b, c)
		}
		if a.compare(a) != 0 {
			t.Fatalf("%v is not itself", a)
		}
	})
}
