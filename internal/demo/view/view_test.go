package view

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func example() Frame {
	at := time.Date(2026, 11, 22, 12, 0, 59, 0, time.UTC)
	return Frame{
		Uptime: 83*time.Second + 400*time.Millisecond,
		Numbers: Numbers{
			PerSecond: 211.6, P50: 380 * time.Microsecond, P99: 6100 * time.Microsecond, Requests: 1234567, HitRatio: 0.987,
			Lag: 92 * time.Millisecond, RulesVersion: 56, Users: 10000, Changes: 98,
		},
		Feed: []Line{
			{at, false, "Jena u000038", "Thanks for browsing [105]", "rule_false: !(events.exists(\"product_viewed\", duration(\"20s\")))", false},
			{at.Add(time.Second), true, "ben", "Abandoned cart [101]", "30m0s after cart_added, time passed", true},
			{at.Add(2 * time.Second), true, "Geoffrey-Bartholomew u000114", "Almost at free shipping [103]", "after cart_added", false},
		},
		Pinned: []Line{{at, true, "ben", "Abandoned cart [101]", "30m0s after cart_added, time passed", true}},
		Added:  3,
		Try:    []string{"curl -s http://127.0.0.1:8080/v1/eligibility -H 'Api-Key: demo-server-key' \\", "  -d '{\"userId\":\"ben\"}'"},
		Notes: []string{
			"decision 127.0.0.1:8080  control 127.0.0.1:8081  ops 127.0.0.1:8082", "keys demo-client-key  demo-server-key  demo-admin-key",
		},
	}
}

func TestRender(t *testing.T) {
	for _, c := range []struct {
		name          string
		width, height int
		style         Style
	}{
		{"usual", 80, 24, Style{}},
		{"wide", 140, 22, Style{}},
		{"narrow", 40, 22, Style{}},
		{"low", 80, 11, Style{}},
		{"colour", 80, 22, Style{Color: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := example()
			got := strings.Join(Render(&f, c.width, c.height, c.style), "\n") + "\n"
			golden := filepath.Join("testdata", c.name+".golden.txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// However small the window and strange the text, nothing is drawn outside of it and nothing but our own sequences reaches the terminal.
func TestRenderStaysInTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := example()
		f.Feed = append(f.Feed, Line{
			At: time.Now(), User: rapid.String().Draw(t, "user"), What: rapid.String().Draw(t, "what"), Why: rapid.String().Draw(t, "why"),
		})
		f.Notes = append(f.Notes, rapid.String().Draw(t, "note"))
		width, height := rapid.IntRange(1, 200).Draw(t, "width"), rapid.IntRange(1, 60).Draw(t, "height")
		lines := Render(&f, width, height, Style{})
		if len(lines) > height {
			t.Fatalf("%d lines in a window of %d", len(lines), height)
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > width {
				t.Fatalf("%d characters in a window of %d: %q", n, width, line)
			}
			if strings.ContainsAny(line, "\x1b\n\r\t\x07") {
				t.Fatalf("a control character is drawn: %q", line)
			}
		}
	})
}

func TestCommandLinesCanBeCopied(t *testing.T) {
	f := example()
	drawn := strings.Join(Render(&f, TryColumns, 30, Style{}), "\n")
	for _, command := range f.Try {
		if !strings.Contains(drawn, command) {
			t.Errorf("%q is cut", command)
		}
	}
}

func TestUnknownNumbersAreDashes(t *testing.T) {
	f := Frame{Numbers: Numbers{HitRatio: -1, Lag: -1}}
	if drawn := strings.Join(Render(&f, 80, 24, Style{}), "\n"); strings.Count(drawn, " -") < 2 {
		t.Errorf("hit ratio and lag are not told as unknown:\n%s", drawn)
	}
}

func TestShort(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{-1, "-"},
		{0, "0µs"},
		{380 * time.Microsecond, "380µs"},
		{6140 * time.Microsecond, "6.1ms"},
		{92 * time.Millisecond, "92ms"},
		{1500 * time.Millisecond, "1.5s"},
		{61500 * time.Millisecond, "1m1s"},
	} {
		if got := short(c.d); got != c.want {
			t.Errorf("short(%v) = %q, want %q", c.d, got, c.want)
		}
	}
}

func TestGroup(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := group(n); got != want {
			t.Errorf("group(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDeltaWritesOnlyWhatDiffers(t *testing.T) {
	first := string(delta(nil, []string{"one", "two"}))
	if !strings.HasPrefix(first, "\x1b[2J") || !strings.Contains(first, "one") || !strings.Contains(first, "two") {
		t.Errorf("the first frame is drawn as %q", first)
	}
	if got, want := string(delta([]string{"one", "two"}, []string{"one", "TWO"})), "\x1b[2;1HTWO\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := delta([]string{"one"}, []string{"one"}); len(got) != 0 {
		t.Errorf("the same frame again is drawn as %q", got)
	}
}

func TestScreenLeavesTheTerminalAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		frames := 0
		size := func() (int, int) { return 80, 24 - frames/3 } // the window is made smaller while the third frame is shown
		frame := func() Frame {
			frames++
			return example()
		}
		if err := Screen(ctx, &out, size, frame, Style{}); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if !strings.HasPrefix(text, enter) || !strings.HasSuffix(text, leave) || frames != 3 {
			t.Errorf("%d frames, from %.20q to %q", frames, text, text[len(text)-20:])
		}
		if strings.Count(text, "eligibility demo") != 1 {
			t.Errorf("lines that stayed the same were drawn again")
		}
	})
}

// broken is a terminal that went away.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestScreenEndsWhenNobodyLooks(t *testing.T) {
	if err := Screen(t.Context(), broken{}, func() (int, int) { return 80, 24 }, example, Style{}); err == nil {
		t.Error("drawing on a broken terminal went well")
	}
}

func TestPlainTellsNewLinesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 16*time.Second)
		defer cancel()
		feed := NewFeed(10)
		feed.Add(example().Feed[0])
		var told []string
		frame := func() Frame {
			f := example()
			feed.Fill(&f)
			return f
		}
		write := func(line string) error {
			told = append(told, line)
			if len(told) == 2 { // after the first period
				feed.Add(example().Feed[1])
			}
			return nil
		}
		if err := Plain(ctx, write, PlainEvery, frame); err != nil {
			t.Fatal(err)
		}
		if len(told) != 5 || !strings.Contains(told[0], "Jena u000038 lost") || !strings.HasPrefix(told[1], "up 1m23s: 212 requests/s") ||
			told[2] != "2026-11-22T12:01:00Z ben gained Abandoned cart [101] (30m0s after cart_added, time passed)" {
			t.Errorf("told %d lines:\n%s", len(told), strings.Join(told, "\n"))
		}
	})
}

func TestPlainIsNoFirehose(t *testing.T) {
	lines := make([]Line, 50)
	for _, c := range []struct {
		added uint64
		want  int
	}{{0, 0}, {3, 3}, {1000, plainMost}} {
		if got := len(newest(lines, c.added)); got != c.want {
			t.Errorf("of %d added lines %d are told, want %d", c.added, got, c.want)
		}
	}
	if got := len(newest(lines[:2], 4)); got != 2 {
		t.Errorf("of two kept lines %d are told", got)
	}
}

func TestFeedKeepsTheNewest(t *testing.T) {
	feed := NewFeed(3)
	for i := range 5 {
		feed.Add(Line{User: fmt.Sprint(i)})
	}
	var f Frame
	feed.Fill(&f)
	if f.Added != 5 || len(f.Feed) != 3 || f.Feed[0].User != "2" || f.Feed[2].User != "4" || len(f.Pinned) != 0 {
		t.Errorf("%d added, kept %+v, pinned %+v", f.Added, f.Feed, f.Pinned)
	}
	f.Feed[0].User = "x"
	feed.Fill(&f)
	if f.Feed[0].User != "2" {
		t.Error("what was filled in is the feed's own memory")
	}
}

func TestPinnedLinesDoNotScrollAway(t *testing.T) {
	feed := NewFeed(3)
	feed.Add(Line{User: "ben", Gained: true, What: "Abandoned cart", Pinned: true})
	for i := range 50 {
		feed.Add(Line{User: fmt.Sprint(i)})
	}
	f := example()
	feed.Fill(&f)
	if drawn := strings.Join(Render(&f, 80, 24, Style{}), "\n"); !strings.Contains(drawn, "Abandoned cart") || !strings.Contains(drawn, "49") {
		t.Errorf("ben's line is gone, or the newest is not there:\n%s", drawn)
	}
	for range 20 {
		feed.Add(Line{Pinned: true})
	}
	feed.Fill(&f)
	if len(f.Pinned) != mostPinned {
		t.Errorf("%d lines are pinned, want %d", len(f.Pinned), mostPinned)
	}
}
