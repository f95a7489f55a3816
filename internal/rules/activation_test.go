package rules

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"pgregory.net/rapid"
)

func mustPlan(t testing.TB, e *env, rule string) cel.Program {
	t.Helper()
	tree, issues := e.check(rule, checkLimits{})
	if tree == nil {
		t.Fatalf("%s: refused: %+v", rule, issues)
	}
	program, err := e.program(tree.NativeRep())
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// TestInputMayChangeBetweenEvaluations: what was boxed for one user, instant or request must not answer for the next.
func TestInputMayChangeBetweenEvaluations(t *testing.T) {
	e := languageEnv(t)
	rule := mustPlan(t, e, "user.country == 'DE' && user.id == 'anna' && 'a' in user.tags && channel == 'push' && now.getHours() == 12 && "+
		"events.count('purchase', days(1)) == 1")
	users := readLanguage(t).Users
	anna, empty := users["anna"].snapshot(e.schema, "anna"), users["empty"].snapshot(e.schema, "empty")
	in := languageInput(anna)
	// An event of exactly a day ago has left the window; an hour before now it has not.
	in.Now -= int64(time.Minute)
	twelve := mustPlan(t, e, "user.country == 'DE' && events.count('purchase', days(1)) == 1 && now.getMinutes() == 59")
	for _, step := range []struct {
		name    string
		change  func()
		program cel.Program
		want    string
	}{
		{"as it is", func() {}, twelve, "true"},
		{"another user", func() { in.Snapshot = empty }, mustPlan(t, e, "user.country == 'DE'"), "missing_attribute user.country"},
		{"back again", func() { in.Snapshot = anna }, twelve, "true"},
		{"another time", func() { in.Now += int64(time.Minute) }, rule, "false"},
		{"another channel", func() { in.Channel = "sms" }, mustPlan(t, e, "channel == 'sms'"), "true"},
		{"no context", func() { in.Context = nil }, mustPlan(t, e, "has(request.platform)"), "false"},
	} {
		step.change()
		if got := outcomeText(t, step.program, in); got != step.want {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
}

// TestCopiedInputSharesNothing: a copy with another time must neither see the original's events nor disturb it.
func TestCopiedInputSharesNothing(t *testing.T) {
	e := languageEnv(t)
	count := mustPlan(t, e, "events.count('purchase', days(7)) == 2")
	anna := readLanguage(t).Users["anna"].snapshot(e.schema, "anna")
	in := languageInput(anna)
	if got := outcomeText(t, count, in); got != "true" {
		t.Fatalf("got %s", got)
	}
	later := *in
	later.Now += int64(30 * 24 * time.Hour)
	if got := outcomeText(t, count, &later); got != "false" {
		t.Errorf("the copy: got %s, want false", got)
	}
	if got := outcomeText(t, count, in); got != "true" {
		t.Errorf("the original: got %s, want true", got)
	}
}

// TestWindowIsExact draws histories and windows and counts by the definition: an event at t is in the window when now-w < t and t <= now.
func TestWindowIsExact(t *testing.T) {
	e := languageEnv(t)
	now := languageNow
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.Int64Range(1, 1000).Draw(t, "window")
		times := rapid.SliceOfN(rapid.Int64Range(now-1010, now+10), 0, 30).Draw(t, "times")
		since := rapid.SampledFrom([]int64{0, now - 1005, now - window, now - window + 1, now - window + 2, now}).Draw(t, "since")
		var b profile.Builder
		b.Reset(e.schema, profile.Key{Project: "shop", User: "u"}, hlc.Timestamp{Wall: now})
		want := 0
		for _, at := range times {
			if at < since {
				continue
			}
			b.Event("purchase", at, nil)
			if now-window < at && at <= now {
				want++
			}
		}
		if since > 0 {
			b.Truncated("purchase", since)
		}
		stream := languageInput(b.Build()).stream(mustSlot(e.schema, "purchase"), errOverflow)
		_, from, to, err := stream.inWindow(time.Duration(window))
		switch {
		case now-window+1 < since:
			if err == nil {
				t.Fatalf("a history cut at %d answers for %d", since, now-window+1)
			}
		case err != nil || to-from != want:
			t.Fatalf("got %d (%v), want %d", to-from, err, want)
		}
	})
}

func mustSlot(s *profile.Schema, event string) int {
	typ, ok := s.EventType(event)
	if !ok {
		panic(event)
	}
	return typ.Slot
}

// TestEnvironmentIsSafeForConcurrentUse checks, plans and evaluates from several goroutines; the race detector is the judge.
func TestEnvironmentIsSafeForConcurrentUse(t *testing.T) {
	e := languageEnv(t)
	file := readLanguage(t)
	anna := file.Users["anna"].snapshot(e.schema, "anna")
	shared := mustPlan(t, e, "user.country == 'DE' && user.tags.exists(x, x.matches('^vip')) && now.getHours(user.timeZone) == 14")
	var group sync.WaitGroup
	faults := make(chan string, 8)
	for range 4 {
		group.Go(func() {
			in := languageInput(anna)
			for i := range 50 {
				value, _, err := shared.Eval(in)
				if err != nil || value.Value() != true {
					faults <- fmt.Sprint(value, err)
					return
				}
				group := file.Groups[i%len(file.Groups)]
				if tree, issues := e.check(group.Cases[0][1], checkLimits{}); tree == nil {
					faults <- fmt.Sprint(issues)
					return
				}
				e.check("user.nope == 1", checkLimits{})
			}
		})
	}
	group.Wait()
	close(faults)
	for fault := range faults {
		t.Error(fault)
	}
}

// TestCommonFormsAllocateLittle pins what the interpreter allocates for a form once a user's attributes are boxed.
func TestCommonFormsAllocateLittle(t *testing.T) {
	e := languageEnv(t)
	in := languageInput(readLanguage(t).Users["anna"].snapshot(e.schema, "anna"))
	for _, tt := range []struct {
		rule string
		most float64
	}{
		{"user.country == 'DE'", 0},
		{"user.country in ['AT', 'DE']", 0},
		{"user.age > 40 && user.vip", 0},
		{"'a' in user.tags", 0},
		{"has(user.address)", 0},
		{"user.?age.orValue(3) > 2", 1},
		{"user.country == 'DE' || user.consent.sms", 0},
		{"channel == 'push'", 0},
		{"events.count('purchase', days(30)) >= 1", 0},
		{"now.getHours('Europe/Berlin') < 20", 0},
		{"bucket('s') < 10000", 1},
		{"user.email.matches('@example')", 1}, // 0 but for the race detector, which empties the pool of the regexp package
		{"events.exists('purchase', days(30), e, e.total > 50.0)", 8},
	} {
		program := mustPlan(t, e, tt.rule)
		if got := outcomeText(t, program, in); got != "true" {
			t.Errorf("%s: got %s", tt.rule, got)
		}
		if n := testing.AllocsPerRun(200, func() { program.Eval(in) }); n > tt.most {
			t.Errorf("%s: %v allocations, at most %v wanted", tt.rule, n, tt.most)
		}
	}
}
