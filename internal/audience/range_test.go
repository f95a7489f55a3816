package audience

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// ranged cuts the town into five ranges of three workers.
func ranged(c *Config, _ *Manager) { c.PageUsers, c.Ranges, c.Workers = 8, 5, 3 }

func TestRangesAreWholeAndInOrder(t *testing.T) {
	w := newTown(t)
	m := w.manager(ranged)
	j := until(t, m, w.add(m, Ask{CountBy: "country", AllLines: true}).ID, func(j Job) bool { return j.State.Ended() })
	if got := users(t, m, j.ID); j.State != Done || len(j.Ranges) != 5 || j.RangesDone() != 5 || len(got) != inhabitants || j.Users != inhabitants {
		t.Fatalf("%d lines, %+v", len(got), j)
	}
	for i := range j.Ranges {
		if r := &j.Ranges[i]; r.Bytes < j.Bytes/20 {
			t.Errorf("range %d has %d bytes of %d: %+v", i, r.Bytes, j.Bytes, j.Ranges)
		}
	}
	alone := w.manager(func(c *Config, _ *Manager) { c.Dir = t.TempDir() })
	one := until(t, alone, w.add(alone, Ask{CountBy: "country", AllLines: true}).ID, state(Done))
	if a, b := whole(t, m, j.ID), whole(t, alone, one.ID); len(one.Ranges) != 1 || !bytes.Equal(a, b) {
		t.Errorf("five ranges and %d differ: %d and %d bytes", len(one.Ranges), len(a), len(b))
	}
	if fmt.Sprint(j.Values, j.Reasons, j.Without) != fmt.Sprint(one.Values, one.Reasons, one.Without) {
		t.Errorf("counts differ: %+v and %+v", j, one)
	}
	if err := m.Remove("shop", j.ID); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "shop", "*")); len(left) != 0 { //nolint:errcheck // the pattern is well formed
		t.Errorf("files of a job that was removed: %v", left)
	}
}

func whole(t *testing.T, m *Manager, id string) []byte {
	t.Helper()
	_, lines, file, err := m.Results("shop", id)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRangesGoOnFromTheirCheckpoints stops a job after more and more pages, leaves torn lines behind as a kill does, and holds what could be read at each time against the end.
func TestRangesGoOnFromTheirCheckpoints(t *testing.T) {
	w := newTown(t)
	w.gate = make(chan struct{})
	m := w.manager(ranged)
	j := w.add(m, Ask{AllLines: true})
	var seen [][]byte
	for i := range 6 {
		for range 5 * i {
			w.gate <- struct{}{}
		}
		m.Stop()
		files, err := filepath.Glob(filepath.Join(w.dir, "shop", "*.ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			torn, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(torn, `{"userId":"torn`); err != nil {
				t.Fatal(err)
			}
			if err := torn.Close(); err != nil {
				t.Fatal(err)
			}
		}
		m = w.manager(ranged)
		seen = append(seen, whole(t, m, j.ID))
	}
	close(w.gate)
	j = until(t, m, j.ID, state(Done))
	if got := users(t, m, j.ID); len(got) != inhabitants || j.Users != inhabitants || len(j.Ranges) != 5 {
		t.Errorf("%d lines, %+v", len(got), j)
	}
	end := whole(t, m, j.ID)
	for i, text := range seen {
		if !bytes.HasPrefix(end, text) {
			t.Errorf("what was read at restart %d, %d bytes, is not how the results begin", i, len(text))
		}
	}
	if len(seen[5]) == 0 {
		t.Error("nothing could be read before the end")
	}
}

func TestAFullDiskPausesRangesAndSpoilsNothing(t *testing.T) {
	w := newTown(t)
	var left atomic.Int64
	left.Store(20_000)
	m := w.manager(ranged, func(_ *Config, m *Manager) {
		if m != nil {
			m.open = func(j *Job, part int) (sink, error) {
				file, err := m.keep.append(j, part)
				return fullDisk{file, &left}, err
			}
		}
	})
	j := until(t, m, w.add(m, Ask{AllLines: true}).ID, state(Paused))
	if users(t, m, j.ID); j.Why != WhyDiskFull || j.Users == 0 {
		t.Fatalf("%+v", j)
	}
	left.Store(1 << 30)
	if _, err := m.Become("shop", j.ID, Queued); err != nil {
		t.Fatal(err)
	}
	if j = until(t, m, j.ID, state(Done)); len(users(t, m, j.ID)) != inhabitants || j.Users != inhabitants {
		t.Errorf("%+v", j)
	}
}

// TestAJobThatIsResumedBeforeItHasPausedGoesOn: some workers have come to an end by then, in the middle of their ranges.
func TestAJobThatIsResumedBeforeItHasPausedGoesOn(t *testing.T) {
	w := newTown(t)
	w.gate = make(chan struct{})
	m := w.manager(ranged)
	j := w.add(m, Ask{AllLines: true})
	for range 6 {
		w.gate <- struct{}{}
	}
	before := until(t, m, j.ID, func(j Job) bool { return j.Users == 6*8 })
	if _, err := m.Become("shop", j.ID, Paused); err != nil {
		t.Fatal(err)
	}
	until(t, m, j.ID, func(j Job) bool {
		select {
		case w.gate <- struct{}{}:
		default:
		}
		return j.Users > before.Users || j.State == Paused
	})
	if _, err := m.Become("shop", j.ID, Queued); err != nil {
		t.Fatal(err)
	}
	close(w.gate)
	j = until(t, m, j.ID, func(j Job) bool { return j.State == Done || j.State == "" })
	if got := users(t, m, j.ID); j.State != Done || len(got) != inhabitants || j.Users != inhabitants {
		t.Errorf("%d lines, %+v", len(got), j)
	}
}

// TestAJobFromBeforeRangesGoesOn rewrites a checkpoint as it looked when a job had one place where it goes on.
func TestAJobFromBeforeRangesGoesOn(t *testing.T) {
	w := newTown(t)
	w.gate = make(chan struct{})
	m := w.manager()
	j := w.add(m, Ask{AllLines: true})
	for range 3 {
		w.gate <- struct{}{}
	}
	m.Stop()
	left, err := m.keep.all()
	if err != nil || len(left) != 1 || len(left[0].Ranges) != 1 {
		t.Fatal(left, err)
	}
	old := left[0]
	old.After, old.Bytes, old.Ranges = old.Ranges[0].After, old.Ranges[0].Bytes, nil
	if old.After == "" {
		t.Fatal("nothing was done yet")
	}
	if err := m.keep.save(old); err != nil {
		t.Fatal(err)
	}
	m = w.manager(ranged)
	if n := len(users(t, m, j.ID)); int64(n) != old.Users {
		t.Errorf("%d lines of the old job, want %d", n, old.Users)
	}
	close(w.gate)
	j = until(t, m, j.ID, state(Done))
	if got := users(t, m, j.ID); len(got) != inhabitants || j.Users != inhabitants {
		t.Errorf("%d lines, %+v", len(got), j)
	}
}

func TestCuts(t *testing.T) {
	for _, c := range []struct {
		sample string
		n      int
		want   string
	}{
		{"", 4, ""}, {"a", 4, "a"}, {"a a a a", 4, "a"}, {"d c b a", 1, ""}, {"d c b a", 2, "b"}, {"h g f e d c b a", 4, "b d f"}, {"b a", 9, "a"},
	} {
		if got := strings.Join(cuts(strings.Fields(c.sample), c.n), " "); got != c.want {
			t.Errorf("%d ranges by %q: %q, want %q", c.n, c.sample, got, c.want)
		}
	}
	if _, err := (&parts{}).ReadAt(make([]byte, 1), 0); !errors.Is(err, io.EOF) {
		t.Errorf("no files: %v", err)
	}
}
