package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// mutant is the product with one rule wrong. The simulator must notice.
type mutant struct {
	name  string
	room  string // whose TestSchedules must fail; "" is this one's
	edits []edit
}

// edit replaces text that occurs once in a file of the product.
type edit struct {
	file     string // below internal
	from, to string
}

// mutantSeeds bounds the histories that a mutant may survive.
const mutantSeeds = 6000

// Every mutant is built from the product's own files, with its edits laid over them, and dies in the simulator. A rule that was rewritten
// so that an edit no longer fits fails the test: the mutant is to be rewritten too.
func TestMutantsAreKilled(t *testing.T) {
	if testing.Short() || race {
		t.Skip("mutants are built and run without the race detector")
	}
	internal, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var table []string
	building := make(chan struct{}, 2)
	t.Run("each", func(t *testing.T) {
		for i, m := range mutants() {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				building <- struct{}{}
				defer func() { <-building }()
				began := time.Now()
				seed, why, err := m.run(t.Context(), t.TempDir(), internal)
				if err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				defer mu.Unlock()
				table = append(table, fmt.Sprintf("%02d %-60s %5d seeds  %5.1f s  %.160s", i+1, m.name, seed+1, time.Since(began).Seconds(), why))
			})
		}
	})
	t.Logf("killed:\n%s", strings.Join(table, "\n"))
}

var (
	errSurvived = errors.New("the mutant survives")
	killed      = regexp.MustCompile(`seed (\d+): (.*)`)
)

// run builds the mutant and plays histories until one shows it: the number of that history, and what was wrong.
func (m *mutant) run(ctx context.Context, dir, internal string) (seed int, why string, err error) {
	overlay, err := m.overlay(dir, internal)
	if err != nil {
		return 0, "", err
	}
	room := m.room
	if room == "" {
		room = "sim"
	}
	binary := filepath.Join(dir, "mutant.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", binary, "./"+room)
	build.Dir = internal
	if out, err := build.CombinedOutput(); err != nil {
		return 0, "", fmt.Errorf("build: %w\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	play := exec.CommandContext(ctx, binary, "-test.run", "^TestSchedules$")
	play.Dir = filepath.Join(internal, room)
	play.Env = append(os.Environ(), "GOMAXPROCS=1", "ELIGIBILITY_TEST_SCHEDULES="+strconv.Itoa(mutantSeeds))
	out, err := play.CombinedOutput()
	if err == nil {
		return 0, "", errSurvived
	}
	found := killed.FindSubmatch(out)
	if found == nil {
		return 0, "", fmt.Errorf("the mutant did not die of a history: %w\n%.2000s", err, out)
	}
	seed, err = strconv.Atoi(string(found[1]))
	return seed, string(found[2]), err
}

// overlay writes the edited files and returns the name of the list that go build takes.
func (m *mutant) overlay(dir, internal string) (string, error) {
	replace := make(map[string]string)
	for i, e := range m.edits {
		path := filepath.Join(internal, e.file)
		source := path
		if edited, ok := replace[path]; ok {
			source = edited
		}
		text, err := os.ReadFile(source)
		if err != nil {
			return "", err
		}
		if n := strings.Count(string(text), e.from); n != 1 {
			return "", fmt.Errorf("%s has %d times what the mutant replaces, want it once:\n%s", e.file, n, e.from)
		}
		edited := filepath.Join(dir, strconv.Itoa(i)+".go")
		if err := os.WriteFile(edited, []byte(strings.Replace(string(text), e.from, e.to, 1)), 0o600); err != nil {
			return "", err
		}
		replace[path] = edited
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, list, 0o600)
}
