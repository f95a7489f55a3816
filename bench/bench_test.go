package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := play(role); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestEveryScenarioRuns takes every side through little of each scenario. It looks at no figure: what is fast is not a matter of a test.
func TestEveryScenarioRuns(t *testing.T) {
	dir := t.TempDir()
	p := plan{scenarios: "hit,connections,sdk,miss,cold,session,edge,open,memory", rounds: 1, span: 30 * time.Millisecond, conns: 2, sizes: []int{10}, out: dir, quick: true}
	if err := run(p); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil || len(pages) != 1 {
		t.Fatalf("%v, %v", pages, err)
	}
	page, err := os.ReadFile(pages[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 10 | engine, answers reused |", "user read from the store", "reads of the store", "a sync, an impression", "from that instant on", "SDK", "| a promotion, of 10", "A quick run", "| met |", "-share.svg)", "-flame-computed.svg)"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	plots, _ := filepath.Glob(filepath.Join(dir, "*.svg"))
	if len(plots) != 5 {
		t.Errorf("plots: %v", plots)
	}
	for _, plot := range plots {
		file, err := os.Open(plot)
		if err != nil {
			t.Fatal(err)
		}
		decoder := xml.NewDecoder(file)
		for err == nil {
			_, err = decoder.Token()
		}
		if err != io.EOF {
			t.Errorf("%s: %v", plot, err)
		}
		_ = file.Close()
	}
}

func TestSpread(t *testing.T) {
	s := spreadOf([]float64{3, 1, 2}, func(v float64) string { return short(time.Duration(v) * time.Millisecond) })
	if got, want := s.String(), "2000 µs (1000 µs–3000 µs)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if err := run(plan{scenarios: "nonsense"}); err == nil || !strings.Contains(err.Error(), "hit, connections") {
		t.Errorf("%v", err)
	}
}

// TestGoalsAreComputedFromMicroBenchmarks: names, units and exponents are read from what `go test -bench` says.
func TestGoalsAreComputedFromMicroBenchmarks(t *testing.T) {
	r := newReport(plan{})
	r.engine(micros([]string{
		"BenchmarkDecide/all/1000-2  100  5000 ns/op  1500 cpu-ns/op  40.0 looked/op  0 B/op  0 allocs/op",
		"BenchmarkDecide/all/100000-2  100  5000 ns/op  150000 cpu-ns/op  4000 looked/op  0 B/op  0 allocs/op",
		"BenchmarkDecide/opaque/1000-2  100  5000 ns/op  6000 cpu-ns/op  40.0 looked/op  0 B/op  0 allocs/op",
		"BenchmarkLoad/users=1-2  100  40000 ns/op  2.0 µs/user", "BenchmarkBareRead  100  10000 ns/op", "nonsense",
	}))
	page := r.goalTable()
	for _, want := range []string{
		"| growth of all matches from 1,000 to 100,000 promotions | exponent ≤ 1.00 | 1.00 | yes |", "| all matches of 1000 promotions, processor time | ≤ 2 µs, 0 allocations | 1.50 µs, 0 allocations | yes |",
		"with all typed | ≥ 0.5 | 0.25 | **no** |", "| ≤ 25 µs more | 30.0 µs more (40.0 over 10.0) | **no** |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the goals lack %q:\n%s", want, page)
		}
	}
}

// TestAFunctionOnAStackTwiceCountsOnce, and a stack's time is that of all its callers.
func TestAFunctionOnAStackTwiceCountsOnce(t *testing.T) {
	root := &flame{name: "all", kids: make(map[string]*flame)}
	root.add([]string{"leaf", "eligibility/a", "eligibility/b", "eligibility/a"}, 10*time.Millisecond)
	root.add([]string{"eligibility/b", "eligibility/a"}, 5*time.Millisecond)
	got := root.cumulative(handlers)
	if len(got) != 2 || got[0].name != "eligibility/a" || got[0].time != 15*time.Millisecond || got[1].time != 15*time.Millisecond {
		t.Errorf("%+v", got)
	}
	if svg := root.svg("a <title>"); !strings.Contains(svg, "eligibility/b 100.0%") || !strings.Contains(svg, "a &lt;title&gt;") {
		t.Errorf("%s", svg)
	}
}

// TestAFloorOfOtherBytesIsNoticed: a figure beside a floor that answers something else would mean nothing.
func TestAFloorOfOtherBytesIsNoticed(t *testing.T) {
	one := []byte("HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2026 00:00:00 GMT\r\nETag: abc\r\n\r\n")
	same := []byte("HTTP/1.1 200 OK\r\nETag: xyz\r\nDate: Mon, 02 Jan 2026 00:00:00 GMT\r\n\r\n")
	other := []byte("HTTP/1.1 200 OK\r\nETag: abcd\r\nDate: Mon, 1 Jan 2026 00:00:00 GMT\r\n\r\n")
	if shape(one) != shape(same) || shape(one) == shape(other) {
		t.Errorf("%q %q %q", shape(one), shape(same), shape(other))
	}
}
