package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answers are what users would be answered, as the test sets it.
type answers struct {
	mu    sync.Mutex
	of    map[string]Outlook
	fail  error
	asked int
	hold  chan struct{} // when not nil, a look waits for it after it has read the answer
}

func (a *answers) Ask(_ context.Context, s *Subject) (Outlook, error) {
	a.mu.Lock()
	a.asked++
	o, known := a.of[s.Key.User]
	err, hold := a.fail, a.hold
	a.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if !known {
		o = Outlook{Digest: 1, Turns: Never}
	}
	return o, err
}

func (a *answers) set(user string, o Outlook) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of[user] = o
}

func bubble(t *testing.T, test func(t *testing.T, h *Hub, a *answers)) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{of: make(map[string]Outlook)}
		h := New(Defaults(), a)
		if err := h.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer h.Stop()
		test(t, h, a)
	})
}

func subject(user string) Subject {
	return Subject{Key: profile.Key{Project: "shop", User: user}, Credential: "app"}
}

func open(t *testing.T, h *Hub, user string, since uint64) *Subscription {
	t.Helper()
	s, err := h.Subscribe(subject(user), since)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return s
}

func told(s *Subscription) bool {
	synctest.Wait()
	select {
	case <-s.Notices():
		return true
	default:
		return false
	}
}

func changed(user string) []events.Change {
	return []events.Change{{Table: events.TableProfile, Project: "shop", Key: user}}
}

func TestAClientIsToldWhenItsAnswerIsAnother(t *testing.T) {
	for _, tt := range []struct {
		name  string
		since uint64
		do    func(h *Hub, a *answers)
		want  bool
	}{
		{"at the first connection", 0, func(*Hub, *answers) {}, true},
		{"not when it comes back to the same", 1, func(*Hub, *answers) {}, false},
		{"when it comes back to another", 9, func(*Hub, *answers) {}, true},
		{"by a change of the user", 1, func(h *Hub, a *answers) { a.set("ada", Outlook{2, Never, 0}); h.Apply(changed("ada"), hlc.Timestamp{}) }, true},
		{"not by a change that changes nothing", 1, func(h *Hub, _ *answers) { h.Apply(changed("ada"), hlc.Timestamp{}) }, false},
		{"not by a change of another user", 1, func(h *Hub, a *answers) { a.set("ada", Outlook{2, Never, 0}); h.Apply(changed("ben"), hlc.Timestamp{}) }, false},
		{"by a publication", 1, func(h *Hub, a *answers) { a.set("ada", Outlook{2, Never, 0}); h.Published("shop") }, true},
		{"not by one of another project", 1, func(h *Hub, a *answers) { a.set("ada", Outlook{2, Never, 0}); h.Published("bank") }, false},
		{"within five seconds after a gap", 1, func(h *Hub, a *answers) {
			a.set("ada", Outlook{2, Never, 0})
			h.Gap(hlc.Timestamp{})
			time.Sleep(5 * time.Second)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, h *Hub, a *answers) {
				s := open(t, h, "ada", tt.since)
				tt.do(h, a)
				if told(s) != tt.want {
					t.Errorf("told is %v", !tt.want)
				}
			})
		})
	}
}

func TestTimeAloneTellsAtItsInstant(t *testing.T) {
	bubble(t, func(t *testing.T, h *Hub, a *answers) {
		a.set("ada", Outlook{1, time.Hour, 77})
		s := open(t, h, "ada", 1)
		a.set("ada", Outlook{2, Never, 0})
		time.Sleep(time.Hour - time.Nanosecond)
		if told(s) {
			t.Fatal("told a nanosecond before the instant")
		}
		time.Sleep(time.Nanosecond)
		if !told(s) {
			t.Error("not told at the instant")
		}
	})
}

func TestAGapDoesNotPutOffAnInstant(t *testing.T) {
	bubble(t, func(t *testing.T, h *Hub, a *answers) {
		for range 20 {
			a.set("ada", Outlook{1, time.Millisecond, 77})
			s := open(t, h, "ada", 1)
			a.set("ada", Outlook{2, Never, 0})
			h.Gap(hlc.Timestamp{})
			time.Sleep(time.Millisecond)
			if !told(s) {
				t.Error("not told at the instant")
			}
			s.Close()
		}
	})
}

func TestAnswersThatMayChangeAtAnyTimeAreLookedAtEachSecond(t *testing.T) {
	bubble(t, func(t *testing.T, h *Hub, a *answers) {
		a.set("ada", Outlook{Digest: 1})
		open(t, h, "ada", 1)
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		if n := h.Stats().Looks; n != 11 {
			t.Errorf("%d looks in ten seconds, want 11", n)
		}
	})
}

func TestALookThatFailedIsRepeated(t *testing.T) {
	bubble(t, func(t *testing.T, h *Hub, a *answers) {
		s := open(t, h, "ada", 1)
		a.mu.Lock()
		a.fail = errors.New("the store is away")
		a.mu.Unlock()
		h.Apply(changed("ada"), hlc.Timestamp{})
		synctest.Wait()
		a.set("ada", Outlook{2, Never, 0})
		a.mu.Lock()
		a.fail = nil
		a.mu.Unlock()
		if told(s) {
			t.Fatal("told of a look that failed")
		}
		time.Sleep(2 * time.Second)
		if !told(s) {
			t.Error("not told once the store was back")
		}
	})
}

func TestAChangeDuringALookIsNotLost(t *testing.T) {
	bubble(t, func(t *testing.T, h *Hub, a *answers) {
		s := open(t, h, "ada", 1)
		hold := make(chan struct{})
		a.mu.Lock()
		a.hold = hold
		a.mu.Unlock()
		h.Apply(changed("ada"), hlc.Timestamp{})
		synctest.Wait() // the look has read the answer and has not come back
		a.mu.Lock()
		a.hold = nil
		a.mu.Unlock()
		a.set("ada", Outlook{2, Never, 0})
		h.Apply(changed("ada"), hlc.Timestamp{})
		synctest.Wait() // a second worker must not overtake the first
		close(hold)
		if !told(s) || s.Digest() != 2 {
			t.Errorf("digest %d, want the client told of the newer answer", s.Digest())
		}
	})
}

func TestManyThatTurnAtOneInstantAreSpread(t *testing.T) {
	bubble(t, func(t *testing.T, h *Hub, a *answers) {
		const n = 2000
		var all []*Subscription
		for i := range n {
			user := fmt.Sprint(i)
			a.set(user, Outlook{1, time.Minute, 77})
			all = append(all, open(t, h, user, 1))
		}
		for i := range n {
			a.set(fmt.Sprint(i), Outlook{2, Never, 0})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		at := h.Stats().Told
		time.Sleep(n * Defaults().Spread)
		synctest.Wait()
		if total := h.Stats().Told; at > n/2 || total != n {
			t.Errorf("%d told at the instant and %d soon after, want them spread and all told", at, total)
		}
		for _, s := range all {
			s.Close()
		}
		if len(h.edges) != 0 {
			t.Errorf("%d edges are left", len(h.edges))
		}
	})
}

func TestLimitsAndClosing(t *testing.T) {
	bubble(t, func(t *testing.T, h *Hub, _ *answers) {
		h.cfg.Max, h.cfg.MaxCredential, h.cfg.MaxUser = 4, 3, 2
		a, b := open(t, h, "ada", 1), open(t, h, "ada", 1)
		if _, err := h.Subscribe(subject("ada"), 1); !errors.Is(err, ErrFull) {
			t.Errorf("a third stream of one user: %v", err)
		}
		open(t, h, "ben", 1)
		if _, err := h.Subscribe(subject("cleo"), 1); !errors.Is(err, ErrFull) {
			t.Errorf("a fourth stream of one key: %v", err)
		}
		a.Close()
		a.Close()
		b.Close()
		open(t, h, "cleo", 1)
		if s := h.Stats(); s.Open != 2 || s.Refused != 2 || s.Opened != 4 {
			t.Errorf("%+v", s)
		}
		h.Drain()
		if _, err := h.Subscribe(subject("dan"), 1); !errors.Is(err, ErrStopped) {
			t.Errorf("after the drain: %v", err)
		}
		if len(h.users)+len(h.project)+len(h.byKey)+len(h.edges)+h.Stats().Open != 0 {
			t.Errorf("the hub holds on to what was closed: %+v", h.Stats())
		}
	})
}

func TestEverythingAtOnce(t *testing.T) {
	a := &answers{of: make(map[string]Outlook)}
	h := New(Defaults(), a)
	if err := h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer h.Stop()
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			user := fmt.Sprint(worker % 3)
			for i := range 300 {
				s, err := h.Subscribe(subject(user), uint64(i))
				if err != nil {
					t.Error(err)
					return
				}
				a.set(user, Outlook{uint64(i%5 + 1), time.Duration(i%3) * time.Microsecond, int64(i % 4)})
				h.Apply(changed(user), hlc.Timestamp{})
				h.Published("shop")
				h.Gap(hlc.Timestamp{})
				s.Close()
			}
		})
	}
	group.Wait()
	if len(h.users)+len(h.project)+len(h.byKey)+len(h.edges) != 0 {
		t.Errorf("the hub holds on to what was closed: %+v", h.Stats())
	}
}
