package pushhook

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/profile"
)

func TestBounds(t *testing.T) {
	small := func(c *Config) { c.Queue, c.ProjectQueue, c.Workers, c.ProjectLimit, c.DeadLetters = 6, 4, 3, 2, 3 }
	sending(t, small, func(t *testing.T, s *Sender, w *wire) {
		hold := make(chan struct{})
		w.hold = hold
		for i := range 10 {
			s.Push(user(fmt.Sprint(i)), 1)
		}
		synctest.Wait()
		if got := s.Stats(); got.Waiting != 4 || got.Flying != 2 || got.Dead != 6 {
			t.Errorf("one project: %+v, want 4 waiting, 2 of them flying, 6 dead", got)
		}
		var kept []string
		for _, d := range s.DeadLetters("shop") {
			kept = append(kept, d.UserID+" "+d.Reason)
		}
		if want := []string{"9 queue_full", "8 queue_full", "7 queue_full"}; !slices.Equal(kept, want) {
			t.Errorf("dead letters %v, want the latest %v", kept, want)
		}
		for i := range 10 {
			s.Push(profile.Key{Project: "bank", User: fmt.Sprint(i)}, 1)
		}
		synctest.Wait()
		if got := s.Stats(); got.Waiting != 6 || got.Flying != 3 {
			t.Errorf("two projects: %+v, want 6 waiting, 3 of them flying", got)
		}
		close(hold)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := s.Stats(); got.Delivered != 6 || got.Waiting != 0 || got.Flying != 0 || w.most != 3 {
			t.Errorf("in the end: %+v, %d at one time", got, w.most)
		}
	})
}

func TestASlowReceiverDoesNotHoldUpOthers(t *testing.T) {
	sending(t, nil, func(t *testing.T, s *Sender, w *wire) {
		hold := make(chan struct{})
		w.hold = hold
		for i := range 1000 {
			s.Push(user(fmt.Sprint(i)), 1)
		}
		synctest.Wait()
		w.mu.Lock()
		w.hold = nil
		w.mu.Unlock()
		for i := range 100 {
			s.Push(profile.Key{Project: "bank", User: fmt.Sprint(i)}, 1)
		}
		synctest.Wait()
		if got := s.Stats(); got.Delivered != 100 || got.Flying != s.cfg.ProjectLimit {
			t.Errorf("%+v, want the other project served", got)
		}
		close(hold)
		synctest.Wait()
	})
}

func TestAHookThatIsTakenBackEndsWhatWaits(t *testing.T) {
	sending(t, nil, func(t *testing.T, s *Sender, w *wire) {
		s.hooks = hooks{}
		s.Push(user("ada"), 1)
		synctest.Wait()
		if got := s.Stats(); len(w.ids()) != 0 || got.Gone != 1 || got.Waiting != 0 {
			t.Errorf("%+v", got)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.users)+len(s.lanes) != 0 {
			t.Errorf("%d users and %d lanes are left", len(s.users), len(s.lanes))
		}
	})
}

func TestWhoWasToldIsForgottenInTheEnd(t *testing.T) {
	sending(t, func(c *Config) { c.Queue, c.ProjectQueue = 50, 50 }, func(t *testing.T, s *Sender, _ *wire) {
		for i := range 500 {
			s.Push(user(fmt.Sprint(i)), 1)
			synctest.Wait()
		}
		s.mu.Lock()
		kept := len(s.users)
		s.mu.Unlock()
		if kept > 50 {
			t.Errorf("%d users are remembered, want 50 at most", kept)
		}
		time.Sleep(time.Minute)
		s.Push(user("last"), 1)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.users) != 1 || s.cooling.Len() != 1 || len(s.lanes) != 0 {
			t.Errorf("%d users, %d cooling, %d lanes, want the last user alone", len(s.users), s.cooling.Len(), len(s.lanes))
		}
	})
}

func TestTheStopSendsWhatWasNeverTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(n int) outcome {
			if n == 2 {
				return outcome{reason: ReasonNetwork}
			}
			return outcome{status: 200}
		}}
		s := NewSender(Defaults(), hooks{"shop": hookAt("https://push.example.com")})
		s.post = w.post
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Push(user("told"), 1)
		synctest.Wait()
		s.Push(user("failed"), 1)
		synctest.Wait()
		s.Push(user("told"), 2) // waits for the interval
		for i := range 50 {
			s.Push(user(fmt.Sprint(i)), 1)
		}
		for range 2 { // it may be repeated
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
		s.Push(user("late"), 1)
		if got := s.Stats(); got.Delivered != 52 || got.Abandoned != 2 || got.Waiting != 0 {
			t.Errorf("%+v, want 52 delivered, the failed and the late one abandoned", got)
		}
	})
}

func TestTheStopEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{hold: make(chan struct{})}
		s := NewSender(Defaults(), hooks{"shop": hookAt("https://push.example.com")})
		s.post = w.post
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			s.Push(user(fmt.Sprint(i)), 1)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := s.Stop(ctx); err != nil || time.Since(began) != time.Second {
			t.Errorf("it took %v: %v", time.Since(began), err)
		}
		if got := s.Stats(); got.Abandoned != 50 || got.Delivered != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAStopWithoutAStart(t *testing.T) {
	if err := NewSender(Defaults(), hooks{}).Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	good := Defaults()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, edit := range map[string]func(*Config){
		"no workers": func(c *Config) { c.Workers = 0 }, "no interval": func(c *Config) { c.Interval = 0 }, "no logger": func(c *Config) { c.Logger = nil },
	} {
		bad := Defaults()
		if edit(&bad); bad.Validate() == nil {
			t.Errorf("%s is let through", name)
		}
	}
}
