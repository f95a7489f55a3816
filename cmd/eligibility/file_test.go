package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseConfig(t *testing.T) {
	known := []string{"listen", "retention", "trusted-proxies"}
	const file = "retention: 24h # a day\ntrusted-proxies:\n  - 10.0.0.0/8\n  - 192.168.0.0/16\nlisten: ':80'\n"
	values, err := parseConfig("c.yaml", []byte(file), known)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]fileValue{
		"retention": {"24h", 1}, "trusted-proxies": {"10.0.0.0/8,192.168.0.0/16", 2}, "listen": {":80", 5},
	} {
		if values[key] != want {
			t.Errorf("%s is %+v, want %+v", key, values[key], want)
		}
	}
}

// Whatever the bytes: no panic, and what comes out are values of known flags, in their lines.
func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{
		"listen: a\n", "listen: [a, b]\n", "- a\n", "a: &x [*x]\n", "listen: &a b\nretention: *a\n", "? [a]\n: b\n", "<<: {listen: a}\n",
		"listen: !!binary aGk=\n", "\x00", "%YAML 9.9\n---\n", "listen: |\n  a\n  b\n", "---\n---\n", "listen: a\nlisten: b\n",
	} {
		f.Add([]byte(seed))
	}
	known := []string{"listen", "retention"}
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := parseConfig("c.yaml", data, known)
		for key, value := range values {
			if !slices.Contains(known, key) || value.line < 1 {
				t.Errorf("%q gives %q: %+v", data, key, value)
			}
		}
		if err != nil && !strings.HasPrefix(err.Error(), "c.yaml:") {
			t.Errorf("%q gives an error that does not say where: %v", data, err)
		}
	})
}

func FuzzParseBytes(f *testing.F) {
	for _, seed := range []string{"0", "1GiB", "-1", "9223372036854775807", "8589934592GiB", "KiB", "1 MiB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseBytes(text)
		if err != nil {
			return
		}
		if back, err := parseBytes(printedBytes(n)); err != nil || back != n {
			t.Errorf("%q is %d, printed as %q, which is %d (%v)", text, n, printedBytes(n), back, err)
		}
	})
}
