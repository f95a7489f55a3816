package events

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/hlc"
)

func many(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("u%06d", i)
	}
	return all
}

func last[T any](all []T) T { return all[len(all)-1] }

func TestChangesGoOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 4}
		relayOn(t, s, p, "a")
		start := time.Now()
		s.commit("u1", "u2", "u3")
		synctest.Wait()
		if got := users(p.sent()); len(got) != 3 {
			t.Fatalf("sent %v; want all three without time passing", got)
		}
		s.resolve()
		synctest.Wait()
		resolved := map[uint16]hlc.Timestamp{}
		for _, b := range p.sent() {
			for _, c := range b.Changes {
				if want := Partition(c.Project, c.Key, 4); b.Partition != want {
					t.Errorf("%s is in partition %d, want %d", c.Key, b.Partition, want)
				}
			}
			resolved[b.Partition] = hlc.Max(resolved[b.Partition], b.Resolved)
		}
		for partition := range uint16(4) {
			if resolved[partition] != s.peek().resolved {
				t.Errorf("partition %d resolved %v, want %v", partition, resolved[partition], s.peek().resolved)
			}
		}
		checkSequences(t, p.sent())
		if time.Since(start) != 0 {
			t.Errorf("it took %v; want nothing to wait for a timer", time.Since(start))
		}
	})
}

func TestWhereAnEpochBegins(t *testing.T) {
	cases := []struct {
		name   string
		cursor hlc.Timestamp
		tooOld hlc.Timestamp
		base   hlc.Timestamp // zero: the present
		epoch  uint64
		fromOn uint64 // counter CursorsTooOld
	}{
		{name: "at the saved cursor", cursor: at(990), base: at(990), epoch: 1},
		{name: "now, when no cursor was ever saved", epoch: 1, fromOn: 1},
		{name: "now, when the changes since the cursor are gone", cursor: at(990), tooOld: at(995), epoch: 2, fromOn: 1},
		{name: "now, when the cursor lies in the future", cursor: at(5000), epoch: 1, fromOn: 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := newStore(), &pipe{partitions: 2}
				s.cursor, s.tooOld = c.cursor, c.tooOld
				s.log = []Change{profileAt("before", at(989)), profileAt("since", at(991))}
				r := relayOn(t, s, p, "a")
				after(time.Second)
				base := c.base
				if base.IsZero() {
					base = last(s.peek().follows)
					if base.Before(at(1000)) || base.After(s.peek().now) {
						t.Errorf("begins at %v; want the present, %v", base, s.peek().now)
					}
				}
				s.commit("new")
				s.resolve()
				after(time.Second)
				sent := p.sent()
				want := []string{"new"}
				if !c.base.IsZero() {
					want = []string{"since", "new"}
				}
				if got := users(sent); !slices.Equal(got, want) {
					t.Errorf("sent %v, want %v", got, want)
				}
				for _, b := range sent {
					if b.Base != base || b.Epoch != c.epoch {
						t.Errorf("epoch %d from %v, want %d from %v", b.Epoch, b.Base, c.epoch, base)
					}
				}
				if got := r.Stats(); got.CursorsTooOld != c.fromOn || !got.Leading || got.Epoch != c.epoch {
					t.Errorf("stats %+v", got)
				}
				checkSequences(t, sent)
				if c.cursor.Before(at(2000)) && s.peek().cursor != s.peek().resolved {
					t.Errorf("saved cursor %v, want %v", s.peek().cursor, s.peek().resolved)
				}
			})
		})
	}
}

func TestCursorIsSavedOnlyAfterTheBusHasAcknowledged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 4}
		relayOn(t, s, p, "a")
		hold := make(chan struct{})
		p.set(func() { p.hold = hold })
		s.commit("u1")
		s.resolve()
		first := s.peek().resolved
		after(10 * time.Second)
		if !s.peek().cursor.IsZero() {
			t.Fatalf("cursor %v was saved while nothing was acknowledged", s.peek().cursor)
		}
		p.set(func() { p.hold = nil })
		close(hold)
		after(2 * time.Second)
		if s.peek().cursor != first {
			t.Fatalf("cursor %v, want %v", s.peek().cursor, first)
		}
		saves := s.peek().saves
		for range 100 {
			s.resolve()
			after(100 * time.Millisecond)
		}
		if n := s.peek().saves - saves; n < 9 || n > 11 {
			t.Errorf("%d saves in 10 s, want one a second", n)
		}
	})
}

func TestOneSlowPartitionHoldsTheCursorBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 4}
		relayOn(t, s, p, "a")
		after(time.Second)
		s.resolve()
		after(2 * time.Second)
		first := s.peek().cursor
		if first.IsZero() {
			t.Fatal("no cursor was saved")
		}
		hold := make(chan struct{})
		p.set(func() { p.hold, p.holdOnly = hold, 3 })
		s.resolve()
		after(10 * time.Second)
		if got := s.peek().cursor; got != first {
			t.Errorf("cursor %v was saved while partition 2 had only acknowledged %v", got, first)
		}
		close(hold)
		after(2 * time.Second)
		if got := s.peek(); got.cursor != got.resolved {
			t.Errorf("cursor %v, want %v", got.cursor, got.resolved)
		}
	})
}

func TestNothingIsSavedWithoutProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 2}
		s.cursor = at(990)
		relayOn(t, s, p, "a")
		s.commit("u1") // sent and acknowledged, but not resolved
		after(time.Minute)
		if got := s.peek(); got.saves != 0 {
			t.Errorf("%d saves, cursor %v; want none", got.saves, got.cursor)
		}
	})
}

func TestOfTwoRelaysOneLeadsAndTheOtherTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 2}
		a := relayOn(t, s, p, "a")
		b := relayOn(t, s, p, "b")
		after(10 * time.Second)
		if !a.Stats().Leading || b.Stats().Leading {
			t.Fatalf("a leads: %t, b leads: %t; want only a", a.Stats().Leading, b.Stats().Leading)
		}
		s.commit("u1")
		s.resolve()
		after(2 * time.Second)
		a.Stop()
		a.Stop()
		synctest.Wait()
		if s.peek().holder != "" && s.peek().holder != "b" {
			t.Errorf("after Stop %q holds the lease", s.peek().holder)
		}
		after(2 * time.Second)
		s.commit("u2")
		synctest.Wait()
		sent := p.sent()
		if got := users(sent); !slices.Equal(got, []string{"u1", "u2"}) || sent[len(sent)-1].Epoch != 2 || !b.Stats().Leading {
			t.Errorf("sent %v, last epoch %d; want b to go on where a ended", got, sent[len(sent)-1].Epoch)
		}
		if err := a.Start(t.Context()); err == nil {
			t.Error("Start after Stop succeeded")
		}
		if err := b.Start(t.Context()); err != nil {
			t.Errorf("second Start: %v", err)
		}
	})
}

func TestStopLetsWhatWasTakenReachTheBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 1}
		r := relayOn(t, s, p, "a")
		hold := make(chan struct{})
		p.set(func() { p.hold = hold })
		s.commit("u1")
		synctest.Wait()
		s.commit("u2")
		s.resolve()
		synctest.Wait()
		time.AfterFunc(100*time.Millisecond, func() { close(hold) })
		r.Stop()
		if got := users(p.sent()); !slices.Equal(got, []string{"u1", "u2"}) || s.peek().cursor != s.peek().resolved || s.peek().holder != "" {
			t.Errorf("sent %v, cursor %v of %v, holder %q; want all done", got, s.peek().cursor, s.peek().resolved, s.peek().holder)
		}
	})
}

func TestRelayConfigReportsAllFaults(t *testing.T) {
	bad := RelayConfig{StopGrace: -1}
	err := bad.Validate()
	if err == nil {
		t.Fatal("an empty configuration validates")
	}
	for _, want := range []string{"no name", "intervals", "grace", "retry", "lead", "logger"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the faults do not name %q:\n%v", want, err)
		}
	}
	good := DefaultRelayConfig("a")
	if err := good.Validate(); err != nil {
		t.Errorf("the defaults do not validate: %v", err)
	}
	if _, err := NewRelay(nil, nil, &pipe{}, good); err == nil {
		t.Error("a relay for a bus of no partitions was made")
	}
}
