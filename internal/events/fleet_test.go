package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// village is a Gossip in which everyone hears everyone, unless a replica is mute.
type village struct {
	mu      sync.Mutex
	ears    map[int]func(*Announcement)
	next    int
	mute    map[string]bool
	deafFor error // what Listen returns at once, unless nil
	largest int
}

func newVillage() *village {
	return &village{ears: map[int]func(*Announcement){}, mute: map[string]bool{}}
}

func (v *village) Announce(a *Announcement) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.largest = max(v.largest, len(a.Rules))
	if v.mute[a.Replica] {
		return
	}
	for _, hear := range v.ears {
		hear(a)
	}
}

func (v *village) Listen(ctx context.Context, ready chan<- struct{}, handle func(*Announcement)) error {
	v.mu.Lock()
	if v.deafFor != nil {
		defer v.mu.Unlock()
		return v.deafFor
	}
	id := v.next
	v.next++
	v.ears[id] = handle
	v.mu.Unlock()
	close(ready)
	<-ctx.Done()
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.ears, id)
	return nil
}

func (v *village) set(change func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change()
}

func fleetOf(t *testing.T, v *village, replica string) *Fleet {
	t.Helper()
	cfg := DefaultFleetConfig(replica, func() time.Duration { return 7 * time.Millisecond })
	cfg.Logger = silent()
	f, err := NewFleet(v, cfg)
	if err != nil {
		t.Fatalf("NewFleet: %v", err)
	}
	if err := f.Start(t.Context()); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(f.Stop)
	synctest.Wait()
	return f
}

// waited calls WaitApplied with a deadline and says how long it took.
func waited(t *testing.T, f *Fleet, version uint64, most time.Duration) (applied, live int, took time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	start := time.Now()
	applied, live = f.WaitApplied(ctx, "acme", version)
	return applied, live, time.Since(start)
}

func TestPublisherHearsWhenEveryLiveReplicaHasTheVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		a, b, c := fleetOf(t, v, "a"), fleetOf(t, v, "b"), fleetOf(t, v, "c")
		after(time.Second)
		time.AfterFunc(10*time.Millisecond, func() { a.Applied("acme", 8, 0) })
		time.AfterFunc(20*time.Millisecond, func() { b.Applied("acme", 8, 2) })
		time.AfterFunc(84*time.Millisecond, func() { c.Applied("acme", 9, 0) })
		if applied, live, took := waited(t, a, 8, 5*time.Second); applied != 3 || live != 3 || took != 84*time.Millisecond {
			t.Errorf("%d of %d after %v; want 3 of 3 after 84ms", applied, live, took)
		}
		if applied, live, took := waited(t, b, 9, time.Second); applied != 1 || live != 3 || took != time.Second {
			t.Errorf("%d of %d after %v; want 1 of 3 when the time is over", applied, live, took)
		}
		for _, s := range b.Replicas("acme") {
			if want := map[string]uint64{"a": 8, "b": 8, "c": 9}[s.Replica]; !s.Live || s.Version != want || s.Lag != 7*time.Millisecond {
				t.Errorf("status %+v; want version %d, live", s, want)
			}
			if want := map[string]int{"b": 2}[s.Replica]; s.Quarantined != want {
				t.Errorf("status %+v; want %d quarantined", s, want)
			}
		}
	})
}

func TestASilentReplicaDoesNotCountAsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		a, b := fleetOf(t, v, "a"), fleetOf(t, v, "b")
		a.Applied("acme", 1, 0)
		b.Applied("acme", 1, 0)
		after(3 * time.Second)
		v.set(func() { v.mute["b"] = true })
		a.Applied("acme", 2, 0)
		applied, live, took := waited(t, a, 2, time.Minute)
		if applied != 1 || live != 1 || took < 3*time.Second || took > 7*time.Second {
			t.Errorf("%d of %d after %v; want 1 of 1 some 5s after the other fell silent", applied, live, took)
		}
		if all := a.Replicas("acme"); len(all) != 2 || all[1].Live || all[1].Heard < 5*time.Second {
			t.Errorf("replicas %+v; want b known and not live", all)
		}
		after(6 * time.Minute)
		if all := a.Replicas("acme"); len(all) != 1 {
			t.Errorf("replicas %+v; want b forgotten", all)
		}
		v.set(func() { v.mute["b"] = false })
		after(time.Second)
		if all := a.Replicas("acme"); len(all) != 2 || !all[1].Live || all[1].Version != 1 {
			t.Errorf("replicas %+v; want b back with what it answers with", all)
		}
	})
}

func TestAReplicaThatStopsSaysGoodBye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		a, b := fleetOf(t, v, "a"), fleetOf(t, v, "b")
		after(time.Second)
		b.Stop()
		b.Stop()
		a.Applied("acme", 1, 0)
		if applied, live, took := waited(t, a, 1, time.Second); applied != 1 || live != 1 || took != 0 {
			t.Errorf("%d of %d after %v; want 1 of 1 at once", applied, live, took)
		}
		if err := b.Start(t.Context()); err == nil {
			t.Error("Start after Stop succeeded")
		}
	})
}

func TestARestartedReplicaIsBelievedWithALowerVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		a := fleetOf(t, v, "a")
		v.Announce(&Announcement{Replica: "b", Rules: []AppliedRules{{Project: "acme", Version: 9}}})
		v.Announce(&Announcement{Replica: "b", Rules: []AppliedRules{{Project: "acme", Version: 8}}})
		if all := a.Replicas("acme"); all[1].Version != 8 {
			t.Errorf("replicas %+v; want b at 8", all)
		}
	})
}

func TestHeartbeatsCarryAllProjectsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		a := fleetOf(t, v, "a")
		const projects = 2*MaxAnnouncedProjects + 10
		for i := range projects {
			a.Applied(fmt.Sprintf("p%04d", i), uint64(i+1), 0)
		}
		b := fleetOf(t, v, "b")
		after(4 * time.Second)
		for i := range projects {
			if all := b.Replicas(fmt.Sprintf("p%04d", i)); all[0].Version != uint64(i+1) {
				t.Fatalf("project %d: %+v; want version %d of a", i, all, i+1)
			}
		}
		if v.largest > MaxAnnouncedProjects {
			t.Errorf("an announcement of %d projects", v.largest)
		}
	})
}

func TestFleetMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		a := fleetOf(t, v, "a")
		for i := range 2 * MaxReplicas {
			v.Announce(&Announcement{Replica: fmt.Sprintf("r%d", i)})
		}
		if n := len(a.Replicas("acme")); n != MaxReplicas || a.Refused() == 0 {
			t.Errorf("%d replicas kept, %d announcements refused", n, a.Refused())
		}
	})
}

func TestFleetListensAgainAfterAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVillage()
		v.deafFor = errors.New("the bus is gone")
		a := fleetOf(t, v, "a")
		after(10 * time.Second)
		v.set(func() { v.deafFor = nil })
		after(2 * time.Second)
		v.Announce(&Announcement{Replica: "b"})
		if all := a.Replicas("acme"); len(all) != 2 {
			t.Errorf("replicas %+v; want b heard", all)
		}
	})
}

func TestAnnouncementLimits(t *testing.T) {
	good := Announcement{Replica: "a", Lag: time.Second, Rules: []AppliedRules{{Project: "acme", Version: 3}}}
	data, err := EncodeAnnouncement(&good)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := DecodeAnnouncement(data); err != nil || back.Rules[0] != good.Rules[0] || back.Lag != good.Lag {
		t.Errorf("round trip: %+v, %v", back, err)
	}
	if _, err := DecodeAnnouncement([]byte(`{"replica":"a","newField":1}`)); err != nil {
		t.Errorf("a field of a newer replica: %v", err)
	}
	bad := []struct {
		name string
		a    Announcement
		text string
	}{
		{name: "no name", a: Announcement{}, text: `{}`},
		{
			name: "long name", a: Announcement{Replica: strings.Repeat("a", MaxReplicaBytes+1)},
			text: `{"replica":"` + strings.Repeat("a", MaxReplicaBytes+1) + `"}`,
		},
		{
			name: "too many projects", a: Announcement{Replica: "a", Rules: make([]AppliedRules, MaxAnnouncedProjects+1)},
			text: `{"replica":"a","rules":[` + strings.Repeat(`{"project":"p"},`, MaxAnnouncedProjects) + `{"project":"p"}]}`,
		},
		{name: "project without a name", a: Announcement{Replica: "a", Rules: make([]AppliedRules, 1)}, text: `{"replica":"a","rules":[{}]}`},
		{name: "no JSON", a: Announcement{}, text: `{"replica":`},
		{name: "too long", a: Announcement{}, text: `{"replica":"a"` + strings.Repeat(" ", maxAnnouncementBytes) + `}`},
	}
	for _, c := range bad {
		t.Run(c.name, func(t *testing.T) {
			if _, err := EncodeAnnouncement(&c.a); !errors.Is(err, ErrUnsendable) {
				t.Errorf("EncodeAnnouncement = %v; want ErrUnsendable", err)
			}
			if _, err := DecodeAnnouncement([]byte(c.text)); !errors.Is(err, ErrMalformed) {
				t.Errorf("DecodeAnnouncement = %v; want ErrMalformed", err)
			}
		})
	}
}

func TestFleetConfigReportsAllFaults(t *testing.T) {
	_, err := NewFleet(newVillage(), FleetConfig{})
	if err == nil {
		t.Fatal("an empty configuration was taken")
	}
	for _, want := range []string{"name", "every", "lag"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the faults do not name %q:\n%v", want, err)
		}
	}
}
