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
	for _, want := range []string{"| 10 | engine, answers reused |", "user read from the store", "reads of the store", "a sync, an impression", "from that instant on", "SDK", "| a promotion, of 10", "A quick run", "-share.svg)"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	plots, _ := filepath.Glob(filepath.Join(dir, "*.svg"))
	if len(plots) != 3 {
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
