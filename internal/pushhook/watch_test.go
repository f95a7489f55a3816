package pushhook

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/stream"
)

// answers are what users would be answered, as the test sets it.
type answers struct {
	mu     sync.Mutex
	of     map[string]stream.Outlook // by user
	pushed []string
}

func (a *answers) Ask(_ context.Context, s *stream.Subject) (stream.Outlook, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o, ok := a.of[s.Key.User]; ok {
		return o, nil
	}
	return stream.Outlook{Digest: 1, Turns: stream.Never}, nil
}

func (a *answers) push(key profile.Key, digest uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pushed = append(a.pushed, fmt.Sprint(key.User, " ", digest))
}

func (a *answers) set(user string, o stream.Outlook) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of[user] = o
}

func (a *answers) all() []string {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.pushed)
}

func watching(t *testing.T, edit func(*Config), test func(t *testing.T, w *Watch, a *answers)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := Defaults()
		if edit != nil {
			edit(&cfg)
		}
		a := &answers{of: make(map[string]stream.Outlook)}
		w := NewWatch(cfg, a, hooks{"shop": hookAt("https://push.example.com")}, a.push)
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		test(t, w, a)
	})
}

func changed(user string) []events.Change {
	return []events.Change{{Table: events.TableProfile, Project: "shop", Key: user}}
}

func TestWhoIsPushed(t *testing.T) {
	turn := func(a *answers) { a.set("ada", stream.Outlook{Digest: 2, Turns: stream.Never}) }
	for _, tt := range []struct {
		name string
		do   func(w *Watch, a *answers)
		want []string
	}{
		{"nobody for being seen", func(*Watch, *answers) {}, nil},
		{"by a change", func(w *Watch, a *answers) { turn(a); w.Apply(changed("ada"), hlc.Timestamp{}) }, []string{"ada 2"}},
		{"not by a change that changes nothing", func(w *Watch, _ *answers) { w.Apply(changed("ada"), hlc.Timestamp{}) }, nil},
		{"by a publication", func(w *Watch, a *answers) { turn(a); w.Published("shop") }, []string{"ada 2"}},
		{"after a gap", func(w *Watch, a *answers) { turn(a); w.Gap(hlc.Timestamp{}); time.Sleep(5 * time.Second) }, []string{"ada 2"}},
		{"by time alone", func(w *Watch, a *answers) {
			a.set("ada", stream.Outlook{Digest: 1, Turns: time.Hour, Edge: 5})
			w.Apply(changed("ada"), hlc.Timestamp{})
			synctest.Wait()
			turn(a)
			time.Sleep(time.Hour)
		}, []string{"ada 2"}},
		{"once for each answer", func(w *Watch, a *answers) {
			turn(a)
			for range 3 {
				w.Apply(changed("ada"), hlc.Timestamp{})
				synctest.Wait()
			}
		}, []string{"ada 2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			watching(t, nil, func(t *testing.T, w *Watch, a *answers) {
				w.Seen(user("ada"), []byte("{}"))
				synctest.Wait()
				tt.do(w, a)
				if got := a.all(); !slices.Equal(got, tt.want) {
					t.Errorf("pushed %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestTheWatchIsBounded(t *testing.T) {
	watching(t, func(c *Config) { c.Watched = 3 }, func(t *testing.T, w *Watch, a *answers) {
		for i := range 5 {
			w.Seen(user(fmt.Sprint(i)), []byte("{}"))
			synctest.Wait()
			time.Sleep(2 * filterTime)
			w.Seen(user("0"), []byte("{}")) // is seen again and again
			synctest.Wait()
		}
		for i := range 5 {
			a.set(fmt.Sprint(i), stream.Outlook{Digest: 2, Turns: stream.Never})
			w.Apply(changed(fmt.Sprint(i)), hlc.Timestamp{})
		}
		got := a.all()
		if slices.Sort(got); !slices.Equal(got, []string{"0 2", "3 2", "4 2"}) {
			t.Errorf("pushed %v, want the three seen last", got)
		}
		if s := w.Stats(); s.Hub.Open != 3 || s.Evicted != 2 || s.Dropped != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAUserIsWatchedInFewContexts(t *testing.T) {
	watching(t, nil, func(t *testing.T, w *Watch, _ *answers) {
		for i := range 10 {
			w.Seen(user("ada"), fmt.Appendf(nil, `{"context":{"appVersion":"%d"}}`, i))
		}
		w.Seen(user("ben"), []byte("{}"))
		synctest.Wait()
		if s := w.Stats(); s.Hub.Open != w.cfg.MaxUser+1 || s.Hub.Refused != 6 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhoIsNotSeenForLongIsForgotten(t *testing.T) {
	watching(t, nil, func(t *testing.T, w *Watch, _ *answers) {
		w.Seen(user("ada"), []byte("{}"))
		w.Seen(profile.Key{Project: "bank", User: "ben"}, []byte("{}")) // whose project has no hook any more
		synctest.Wait()
		if open := w.Stats().Hub.Open; open != 2 {
			t.Fatalf("%d are watched, want 2", open)
		}
		time.Sleep(sweepEvery)
		synctest.Wait()
		if open := w.Stats().Hub.Open; open != 1 {
			t.Errorf("%d are watched after a sweep, want 1", open)
		}
		time.Sleep(w.cfg.WatchTime + 2*sweepEvery)
		synctest.Wait()
		if open := w.Stats().Hub.Open; open != 0 || len(w.known) != 0 || w.order.Len() != 0 {
			t.Errorf("%d are watched after a day, want none", open)
		}
	})
}

func TestSeenNeverWaitsAndForgetsNobodyWhoComesAgain(t *testing.T) {
	w := NewWatch(Defaults(), &answers{}, hooks{}, func(profile.Key, uint64) {}) // nobody takes in what is seen
	for i := range seenQueue + 10 {
		w.Seen(user(fmt.Sprint(i)), []byte("{}"))
	}
	if s := w.Stats(); s.Dropped != 10 {
		t.Errorf("%d dropped, want 10", s.Dropped)
	}
	late := user(fmt.Sprint(seenQueue + 5))
	<-w.seen
	w.Seen(late, []byte("{}"))
	var last sight
	for range seenQueue {
		last = <-w.seen
	}
	if last.key != late {
		t.Errorf("the last is %v, want %v taken in the second time", last.key, late)
	}
}

func TestSeenCostsLittle(t *testing.T) {
	w := NewWatch(Defaults(), &answers{}, hooks{"shop": hookAt("https://push.example.com")}, func(profile.Key, uint64) {})
	key, question := user("ada"), []byte(`{"context":{"platform":"ios"}}`)
	w.Seen(key, question)
	if n := testing.AllocsPerRun(1000, func() {
		if w.Wants("shop") {
			w.Seen(key, question)
		}
	}); n != 0 {
		t.Errorf("%v allocations for who was seen a moment ago, want none", n)
	}
}

func BenchmarkSeen(b *testing.B) {
	w := NewWatch(Defaults(), &answers{}, hooks{"shop": hookAt("https://push.example.com")}, func(profile.Key, uint64) {})
	key, question := user("ada"), []byte(`{"context":{"platform":"ios"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if w.Wants("shop") {
			w.Seen(key, question)
		}
	}
}
