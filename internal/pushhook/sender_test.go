package pushhook

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/access"
)

// wire takes requests instead of a receiver, and answers what the test says.
type wire struct {
	mu     sync.Mutex
	posts  []sent
	answer func(n int) outcome // of the n-th request, from 1
	hold   chan struct{}       // when not nil, a request waits for it, or for its end
	flying int
	most   int // requests at one time
}

// sent is one request, and how long after the start of the test.
type sent struct {
	project, id string
	after       time.Duration
}

func (w *wire) post(ctx context.Context, hook *access.Hook, id string, _ []byte, at time.Time) outcome {
	w.mu.Lock()
	w.posts = append(w.posts, sent{hook.Project, id, time.Duration(at.UnixNano())})
	n, hold, answer := len(w.posts), w.hold, w.answer
	w.flying++
	w.most = max(w.most, w.flying)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.flying--
		w.mu.Unlock()
	}()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return outcome{reason: ReasonTimeout}
		}
	}
	if answer == nil {
		return outcome{status: 200}
	}
	return answer(n)
}

// ids are the deliveries that were posted, in their order.
func (w *wire) ids() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, p := range w.posts {
		all = append(all, p.id)
	}
	return all
}

// times are when requests were made, counted from the first.
func (w *wire) times() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []time.Duration
	for _, p := range w.posts {
		all = append(all, p.after-w.posts[0].after)
	}
	return all
}

func sending(t *testing.T, edit func(*Config), test func(t *testing.T, s *Sender, w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := Defaults()
		if edit != nil {
			edit(&cfg)
		}
		w := &wire{}
		all := hooks{}
		for _, project := range []string{"shop", "bank"} {
			all[project] = &access.Hook{Project: project, URL: "https://push.example.com", Secrets: [][]byte{{1}}}
		}
		s := NewSender(cfg, all)
		s.post = w.post
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		test(t, s, w)
	})
}

func TestRetriesBackOff(t *testing.T) {
	sending(t, nil, func(t *testing.T, s *Sender, w *wire) {
		w.answer = func(int) outcome { return outcome{reason: ReasonNetwork} }
		s.Push(user("ada"), 7)
		time.Sleep(time.Hour)
		synctest.Wait()
		at := w.times()
		if len(at) != s.cfg.Attempts {
			t.Fatalf("%d attempts, want %d", len(at), s.cfg.Attempts)
		}
		for i := 1; i < len(at); i++ {
			most := min(time.Second<<(i-1), s.cfg.MaxBackoff)
			if pause := at[i] - at[i-1]; pause < most/2 || pause > most {
				t.Errorf("%v before attempt %d, want %v to %v", pause, i+1, most/2, most)
			}
		}
		want := DeadLetter{DeliveryID: deliveryID(user("ada"), 7), UserID: "ada", Attempts: 10, Reason: ReasonNetwork}
		dead := s.DeadLetters("shop")
		if len(dead) != 1 || dead[0].At.IsZero() || dead[0].GivenUpAt.Sub(dead[0].At) != at[9] {
			t.Fatalf("%+v", dead)
		}
		if dead[0].At, dead[0].GivenUpAt = want.At, want.GivenUpAt; dead[0] != want {
			t.Errorf("%+v, want %+v", dead[0], want)
		}
		if got := s.Stats(); got.Waiting != 0 || got.Dead != 1 || got.Failed != 10 {
			t.Errorf("%+v", got)
		}
	})
}

func TestHowLongAReceiverMayAskToWait(t *testing.T) {
	for _, tt := range []struct {
		name        string
		asked       time.Duration
		least, most time.Duration
	}{
		{"not at all", 0, time.Second / 2, time.Second},
		{"less than the back-off", time.Millisecond, time.Second / 2, time.Second},
		{"longer", time.Minute, time.Minute, time.Minute},
		{"too long", 24 * time.Hour, 10 * time.Minute, 10 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sending(t, nil, func(t *testing.T, s *Sender, w *wire) {
				w.answer = func(n int) outcome {
					if n == 1 {
						return outcome{reason: ReasonStatus, status: 429, asked: tt.asked}
					}
					return outcome{status: 200}
				}
				s.Push(user("ada"), 7)
				time.Sleep(time.Hour)
				synctest.Wait()
				if at := w.times(); len(at) != 2 || at[1] < tt.least || at[1] > tt.most {
					t.Errorf("requests after %v, want the second after %v to %v", at, tt.least, tt.most)
				}
				if got := s.Stats(); got.Delivered != 1 || got.Refused != 1 || got.Dead != 0 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

func TestWhatIsFinalIsNotTriedAgain(t *testing.T) {
	sending(t, nil, func(t *testing.T, s *Sender, w *wire) {
		w.answer = func(int) outcome { return outcome{reason: ReasonStatus, status: 410, final: true} }
		s.Push(user("ada"), 7)
		time.Sleep(time.Hour)
		synctest.Wait()
		if dead := s.DeadLetters("shop"); len(w.ids()) != 1 || len(dead) != 1 || dead[0].Status != 410 || dead[0].Attempts != 1 {
			t.Errorf("%d requests, %+v", len(w.ids()), dead)
		}
		if other := s.DeadLetters("bank"); other == nil || len(other) != 0 {
			t.Errorf("another project sees %v", other)
		}
	})
}

func TestAUserIsToldOncePerInterval(t *testing.T) {
	sending(t, nil, func(t *testing.T, s *Sender, w *wire) {
		id := func(digest uint64) string { return deliveryID(user("ada"), digest) }
		s.Push(user("ada"), 1)
		synctest.Wait()
		s.Push(user("ada"), 2)
		s.Push(user("ada"), 3)
		time.Sleep(30*time.Second - time.Nanosecond)
		synctest.Wait()
		if got := w.ids(); !slices.Equal(got, []string{id(1)}) {
			t.Fatalf("within the interval: %v", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got := w.ids(); !slices.Equal(got, []string{id(1), id(3)}) {
			t.Fatalf("after it: %v, want the latest answer alone", got)
		}
		time.Sleep(time.Minute)
		s.Push(user("ada"), 4)
		synctest.Wait()
		if got := w.ids(); len(got) != 3 {
			t.Errorf("long after it: %v, want a message at once", got)
		}
		if got := s.Stats(); got.Delivered != 3 || got.Joined != 1 || got.Waiting != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAChangeDuringARequestIsToldAfterwards(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first outcome
		want  time.Duration // between the requests, at most
	}{
		{"that succeeds", outcome{status: 200}, 30 * time.Second},
		{"that fails for good", outcome{reason: ReasonRedirect, final: true}, 30 * time.Second},
		{"that is tried again", outcome{reason: ReasonNetwork}, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sending(t, nil, func(t *testing.T, s *Sender, w *wire) {
				hold := make(chan struct{})
				w.hold = hold
				w.answer = func(n int) outcome {
					if n == 1 {
						return tt.first
					}
					return outcome{status: 200}
				}
				s.Push(user("ada"), 1)
				synctest.Wait()
				s.Push(user("ada"), 2)
				s.Push(user("ada"), 3)
				close(hold)
				time.Sleep(time.Hour)
				synctest.Wait()
				at, got := w.times(), w.ids()
				if want := []string{deliveryID(user("ada"), 1), deliveryID(user("ada"), 3)}; !slices.Equal(got, want) || at[1] > tt.want {
					t.Errorf("%v after %v, want %v", got, at, want)
				}
			})
		})
	}
}
