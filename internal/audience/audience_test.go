package audience

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/store/embedded"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// town is a project on a real store, every third of whose users lives in Germany, and what a manager needs beside it.
type town struct {
	*embedded.Store
	t      *testing.T
	dir    string
	live   *rules.Live
	schema *profile.Schema
	pages  atomic.Int64
	gate   chan struct{} // nil, or a page is read for each value
	fails  atomic.Bool
}

const inhabitants = 1000

func newTown(t *testing.T) *town {
	t.Helper()
	store, err := embedded.Open(embedded.Defaults(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	schema, err := profile.NewSchema().WithAttribute("country", profile.Type{Kind: profile.String}, false)
	if err != nil {
		t.Fatal(err)
	}
	w := &town{Store: store, t: t, dir: t.TempDir(), live: &rules.Live{}, schema: schema}
	spec := rules.Spec{Project: "shop", Schema: schema, Settings: rules.Settings{OnStoreDown: rules.FailClosed, TimeZone: "UTC"}}
	if _, err := store.CreateProject(t.Context(), spec, audit.Entry{Project: "shop", Actor: "root", Action: "project.create", Target: "shop"}); err != nil {
		t.Fatal(err)
	}
	var updates []profile.Update
	for i := range inhabitants {
		attributes := map[string]json.RawMessage{"country": json.RawMessage(`"` + []string{"DE", "FR", "US"}[i%3] + `"`)}
		if i%10 == 9 {
			attributes = nil
		}
		updates = append(updates, profile.Update{UserID: fmt.Sprintf("u%04d", i), Attributes: attributes})
	}
	if _, refused, err := store.PutUsers(t.Context(), "shop", updates); err != nil || len(refused) > 0 {
		t.Fatal(err, refused)
	}
	w.publish(1, "user.country == 'DE'")
	return w
}

func (w *town) publish(version uint64, rule string) {
	w.t.Helper()
	p := rules.Promotion{ID: "german", Name: "n", Rule: rule, Channels: []string{"push", "embedded"}}
	p.Content.Title = "t"
	spec := rules.Spec{Project: "shop", Version: version, Schema: w.schema, Promotions: rules.NewRoll(rules.LivePromotion{Promotion: &p, Revision: 1})}
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(&spec, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.live.Swap(rs)
}

// UserIDs waits for the gate, counts, and fails when it is told to.
func (w *town) UserIDs(ctx context.Context, project, after string, limit int) ([]string, error) {
	if w.gate != nil {
		select {
		case <-w.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	w.pages.Add(1)
	if w.fails.Load() {
		return nil, profile.ErrUnavailable
	}
	return w.Store.UserIDs(ctx, project, after, limit)
}

func (w *town) manager(edit ...func(*Config, *Manager)) *Manager {
	w.t.Helper()
	cfg := Defaults(w.dir)
	cfg.PageUsers, cfg.Checkpoint = 64, time.Nanosecond
	for _, e := range edit {
		e(&cfg, nil)
	}
	m, err := New(cfg, Deps{Users: w, Sampler: w.Store, Rulesets: w.live, Clock: &hlc.Estimate{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range edit {
		e(&cfg, m)
	}
	if err := m.Start(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(m.Stop)
	return m
}

func (w *town) add(m *Manager, ask Ask) Job {
	w.t.Helper()
	ask.Promotion, ask.Channel, ask.At = "german", "embedded", time.Now()
	j, err := m.Add("shop", ask)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// until waits for the job to be as wanted.
func until(t *testing.T, m *Manager, id string, is func(Job) bool) Job {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for {
		j, err := m.Get("shop", id)
		if err != nil {
			t.Fatal(err)
		}
		if is(j) {
			return j
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("the job stays %+v", j)
		}
	}
}

func state(want State) func(Job) bool { return func(j Job) bool { return j.State == want } }

// users are the ids in the results, which must be whole lines in order, each once.
func users(t *testing.T, m *Manager, id string) []string {
	t.Helper()
	j, lines, file, err := m.Results("shop", id)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var ids []string
	read := int64(0)
	for in := bufio.NewScanner(lines); in.Scan(); {
		var line struct{ UserID string }
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			t.Fatalf("%q: %v", in.Text(), err)
		}
		if n := len(ids); n > 0 && ids[n-1] >= line.UserID {
			t.Fatalf("%s stands behind %s", line.UserID, ids[n-1])
		}
		ids = append(ids, line.UserID)
		read += int64(len(in.Bytes())) + 1
	}
	if read != j.Bytes {
		t.Errorf("%d bytes of lines, the checkpoint says %d", read, j.Bytes)
	}
	return ids
}

func TestAJobCountsEverybodyOnce(t *testing.T) {
	w := newTown(t)
	m := w.manager()
	j := until(t, m, w.add(m, Ask{CountBy: "country", AllLines: true}).ID, func(j Job) bool { return j.State.Ended() })
	if j.State != Done || j.Users != inhabitants || j.Expected != inhabitants || j.Eligible != j.Values["DE"].Users || j.Values["DE"].Eligible != j.Eligible {
		t.Errorf("%+v", j)
	}
	if sum := j.Values["DE"].Users + j.Values["FR"].Users + j.Values["US"].Users + j.Without.Users; sum != inhabitants || j.Without.Users != inhabitants/10 {
		t.Errorf("counts by country: %+v, without %+v", j.Values, j.Without)
	}
	var refused int64
	for _, n := range j.Reasons {
		refused += n
	}
	if refused+j.Eligible != inhabitants || len(users(t, m, j.ID)) != inhabitants || j.OldestAsOf == "" || j.NewestAsOf < j.OldestAsOf {
		t.Errorf("%+v", j)
	}
	only := until(t, m, w.add(m, Ask{}).ID, state(Done))
	if n := len(users(t, m, only.ID)); int64(n) != j.Eligible {
		t.Errorf("%d eligible users, want %d", n, j.Eligible)
	}
	for _, name := range []string{j.ID + ".json", j.ID + ".ndjson"} {
		info, err := os.Stat(filepath.Join(w.dir, "shop", name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

// TestAProcessThatIsKilledAtAnyPageLosesAndRepeatsNothing leaves, as a kill does, a checkpoint and results that are longer by what was being written.
func TestAProcessThatIsKilledAtAnyPageLosesAndRepeatsNothing(t *testing.T) {
	w := newTown(t)
	w.gate = make(chan struct{})
	m := w.manager()
	j := w.add(m, Ask{AllLines: true})
	restarts := 0
	for i := range 6 {
		for range i {
			w.gate <- struct{}{}
		}
		if i > 0 {
			restarts++
		}
		m.Stop()
		results, err := os.OpenFile(filepath.Join(w.dir, "shop", j.ID+".ndjson"), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(results, `{"userId":"torn`); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(results.Close(), os.WriteFile(filepath.Join(w.dir, "shop", j.ID+".json.next"), []byte("{"), 0o600)); err != nil {
			t.Fatal(err)
		}
		m = w.manager()
	}
	close(w.gate)
	j = until(t, m, j.ID, state(Done))
	if got := users(t, m, j.ID); len(got) != inhabitants || j.Users != inhabitants || restarts != 5 {
		t.Errorf("%d lines, %d users after %d restarts", len(got), j.Users, restarts)
	}
}

func TestPauseResumeCancelRemove(t *testing.T) {
	w := newTown(t)
	w.gate = make(chan struct{})
	m := w.manager()
	j := w.add(m, Ask{AllLines: true})
	w.gate <- struct{}{}
	if _, err := m.Become("shop", j.ID, Paused); err != nil {
		t.Fatal(err)
	}
	j = until(t, m, j.ID, func(j Job) bool {
		select {
		case w.gate <- struct{}{}: // the page that is being read
		default:
		}
		return j.State == Paused
	})
	if j.Users == 0 || j.Users == inhabitants {
		t.Errorf("paused after %d users", j.Users)
	}
	w.publish(2, "user.country == 'FR'") // the job keeps to the rules that it began with
	if _, err := m.Become("shop", j.ID, Queued); err != nil {
		t.Fatal(err)
	}
	close(w.gate)
	j = until(t, m, j.ID, state(Done))
	if len(users(t, m, j.ID)) != inhabitants || len(j.RulesVersions) != 1 || j.RulesVersions[0] != 1 {
		t.Errorf("%+v", j)
	}
	if _, err := m.Become("shop", j.ID, Cancelled); !errors.Is(err, ErrEnded) {
		t.Errorf("cancelled after its end: %v", err)
	}
	later := w.add(m, Ask{SpreadOver: 3600})
	if later, err := m.Get("shop", later.ID); err != nil || later.Begins.Sub(later.Created) > time.Hour {
		t.Errorf("%+v %v", later, err)
	}
	if err := m.Remove("shop", later.ID); !errors.Is(err, ErrEnded) && later.Begins.After(time.Now()) {
		t.Errorf("removed before its end: %v", err)
	}
	if _, err := m.Become("shop", later.ID, Cancelled); err != nil {
		t.Fatal(err)
	}
	if err := m.Remove("shop", later.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Get("shop", later.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("after it was removed: %v", err)
	}
	if _, err := m.Get("other", j.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("another project's job: %v", err)
	}
}

func TestAfterARestartOtherRulesAreNotTakenUnasked(t *testing.T) {
	w := newTown(t)
	w.gate = make(chan struct{})
	m := w.manager()
	j := w.add(m, Ask{AllLines: true})
	w.gate <- struct{}{}
	w.gate <- struct{}{}
	m.Stop()
	w.publish(2, "user.country == 'FR'")
	m = w.manager()
	if j = until(t, m, j.ID, state(Paused)); j.Why != WhyRulesChanged {
		t.Fatalf("%+v", j)
	}
	close(w.gate)
	if _, err := m.Become("shop", j.ID, Queued); err != nil {
		t.Fatal(err)
	}
	if j = until(t, m, j.ID, state(Done)); fmt.Sprint(j.RulesVersions) != "[1 2]" || len(users(t, m, j.ID)) != inhabitants {
		t.Errorf("%+v", j)
	}
}

// fullDisk takes so many bytes, and then half of a write.
type fullDisk struct {
	sink
	left *atomic.Int64
}

func (f fullDisk) Write(b []byte) (int, error) {
	if f.left.Add(int64(-len(b))) >= 0 {
		return f.sink.Write(b)
	}
	n, _ := f.sink.Write(b[:len(b)/2])
	return n, syscall.ENOSPC
}

func TestAFullDiskPausesAJobAndSpoilsNothing(t *testing.T) {
	w := newTown(t)
	var left atomic.Int64
	left.Store(20_000)
	m := w.manager(func(_ *Config, m *Manager) {
		if m != nil {
			m.open = func(j *Job, part int) (sink, error) {
				file, err := m.keep.append(j, part)
				return fullDisk{file, &left}, err
			}
		}
	})
	j := until(t, m, w.add(m, Ask{AllLines: true}).ID, state(Paused))
	if got := users(t, m, j.ID); j.Why != WhyDiskFull || int64(len(got)) != j.Users || j.Users == 0 {
		t.Fatalf("%+v with %d lines", j, len(got))
	}
	left.Store(1 << 30)
	if _, err := m.Become("shop", j.ID, Queued); err != nil {
		t.Fatal(err)
	}
	if j = until(t, m, j.ID, state(Done)); len(users(t, m, j.ID)) != inhabitants || j.Why != "" {
		t.Errorf("%+v", j)
	}
}

func TestAStoreThatIsDownPausesAJobAndErasedUsersAreLeftOut(t *testing.T) {
	w := newTown(t)
	w.gate = make(chan struct{}, 1)
	m := w.manager(func(c *Config, _ *Manager) { c.Patience = 10 * time.Millisecond })
	j := w.add(m, Ask{AllLines: true})
	w.gate <- struct{}{}
	until(t, m, j.ID, func(j Job) bool { return j.Users > 0 })
	w.fails.Store(true)
	close(w.gate)
	if j = until(t, m, j.ID, state(Paused)); j.Why != WhyStore {
		t.Fatalf("%+v", j)
	}
	if _, err := w.DeleteUser(t.Context(), profile.Key{Project: "shop", User: "u0999"}); err != nil {
		t.Fatal(err)
	}
	w.fails.Store(false)
	if _, err := m.Become("shop", j.ID, Queued); err != nil {
		t.Fatal(err)
	}
	until(t, m, j.ID, state(Done))
	if got := users(t, m, j.ID); len(got) != inhabitants-1 || got[len(got)-1] != "u0998" {
		t.Errorf("%d users, the last %s", len(got), got[len(got)-1])
	}
}

func TestRefusalsAndBounds(t *testing.T) {
	w := newTown(t)
	m := w.manager(func(c *Config, _ *Manager) { c.Jobs = 2 })
	for name, c := range map[string]struct {
		project string
		ask     Ask
		want    error
	}{
		"no project":          {"nowhere", Ask{Promotion: "german"}, ErrNoRules},
		"no promotion":        {"shop", Ask{Promotion: "x"}, ErrPromotion},
		"no attribute":        {"shop", Ask{Promotion: "german", CountBy: "x"}, ErrCountBy},
		"a list of attribute": {"shop", Ask{Promotion: "german", CountBy: strings.Repeat("x", 300)}, ErrCountBy},
	} {
		if _, err := m.Add(c.project, c.ask); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	first := w.add(m, Ask{SpreadOver: 86400})
	if _, err := m.Become("shop", first.ID, Paused); err != nil {
		t.Fatal(err)
	}
	second := until(t, m, w.add(m, Ask{}).ID, state(Done))
	third := until(t, m, w.add(m, Ask{}).ID, state(Done))
	if _, err := m.Get("shop", second.ID); !errors.Is(err, ErrNotFound) || len(m.List("shop")) != 2 || m.List("shop")[0].ID != third.ID {
		t.Errorf("the oldest that ended is still there: %v", err)
	}
	values := Job{Values: map[string]Count{}}
	for i := range 2 * maxValues {
		values.value(fmt.Sprint(i), true, false)
	}
	if len(values.Values) != maxValues || values.Others.Users != maxValues {
		t.Errorf("%d values and %d others", len(values.Values), values.Others.Users)
	}
}
