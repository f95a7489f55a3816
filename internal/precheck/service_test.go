package precheck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/store/embedded"
)

type keys map[string]*access.Entry

func (k keys) Lookup(key []byte) (*access.Entry, bool) {
	e, ok := k[string(key)]
	return e, ok
}

// newService answers for the crowd under the rules of newJob, and takes the turns that turn gives.
func newService(t *testing.T, turn Turn) (*Service, *crowd, *rules.Live) {
	t.Helper()
	cfg := embedded.Defaults("")
	cfg.InMemory = true
	book, err := embedded.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	job, users := newJob(t)
	live := &rules.Live{}
	live.Swap(job.Ruleset)
	s, err := NewService(ServiceDeps{
		Users: users, Book: book, Rulesets: live, Keys: keys{"s": {Project: "shop", Kind: access.Server}}, Clock: job.Clock, Turn: turn,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, users, live
}

const (
	room  = 1 << 20
	about = `{"promotion":"german","channel":"push","userIds":["ok1","fr1"]}`
)

func TestAServiceNeedsItsParts(t *testing.T) {
	if _, err := NewService(ServiceDeps{}); err == nil {
		t.Error("a service of nothing was made")
	}
}

func TestAServiceExplainsWhatItsPartsFailWith(t *testing.T) {
	var turn error
	s, users, live := newService(t, func(_ context.Context, work func(time.Duration)) (time.Duration, error) {
		if turn == nil {
			work(time.Hour)
		}
		return 0, turn
	})
	if project, p := s.Project([]byte("s")); p != nil || project != "shop" {
		t.Errorf("%s %v", project, p)
	}
	if out, p := s.Answer(t.Context(), "shop", []byte(about), room); p != nil || !strings.HasPrefix(string(out), `{"userId":"ok1","eligible":true`) {
		t.Errorf("%s %v", out, p)
	}
	for _, c := range []struct {
		name, project, body, code string
		users, turn               error
		retry                     int
	}{
		{"a store that is down", "shop", about, "store_unavailable", fmt.Errorf("load: %w", profile.ErrUnavailable), nil, 1},
		{"a time that is over", "shop", about, "store_unavailable", context.DeadlineExceeded, nil, 1},
		{"a turn that does not come", "shop", about, "overloaded", nil, context.DeadlineExceeded, 1},
		{"what nobody knows", "shop", about, "internal", errors.New("?"), nil, 0},
		{"a project without rules", "none", about, "ruleset_unavailable", nil, nil, 1},
		{"an unknown promotion", "shop", strings.Replace(about, "german", "x", 1), "promotion_not_found", nil, nil, 0},
	} {
		users.fails, turn = c.users, c.turn
		if out, p := s.Answer(t.Context(), c.project, []byte(c.body), room); p == nil || p.Code != c.code || p.RetryAfter != c.retry || out != nil {
			t.Errorf("%s: %v %s, want %s", c.name, p, out, c.code)
		}
	}
	if stats := s.Stats(); stats.Users != 2 || stats.Eligible != 1 {
		t.Errorf("%+v", stats)
	}
	if Withdrawn(nil, "german") != "" || Withdrawn(live.Load("shop"), "german") != "" || Withdrawn(live.Load("shop"), "x") != rules.ReasonEnded {
		t.Error("who withdrew what?")
	}
}

// What is paused while a request waits is not sent, whatever the rules say that it was let in with.
func TestAPauseIsHeardWhileARequestWaits(t *testing.T) {
	var live *rules.Live
	var paused *rules.Ruleset
	turns := 0
	s, _, live := newService(t, func(_ context.Context, work func(time.Duration)) (time.Duration, error) {
		if turns++; turns == 2 {
			live.Swap(paused)
		}
		work(time.Hour)
		return 0, nil
	})
	german := rules.Promotion{ID: "german", Name: "n", Rule: "user.country == 'DE'", Channels: []string{"push"}}
	german.Content.Title = "t"
	was := live.Load("shop")
	spec := rules.Spec{Project: "shop", Version: was.Version + 1, Schema: was.Schema, Promotions: rules.NewRoll(rules.LivePromotion{Promotion: &german, Revision: 1, Paused: true})}
	paused, err := rules.NewCompiler(profile.DefaultRetention).Compile(&spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	ids := strings.TrimSuffix(strings.Repeat(`"ok1",`, ChunkUsers)+`"ok2",`, ",")
	out, p := s.Answer(t.Context(), "shop", []byte(`{"promotion":"german","channel":"push","userIds":[`+ids+`]}`), room)
	if p != nil || !strings.Contains(string(out), `{"userId":"ok1","eligible":true`) || !strings.Contains(string(out), `{"userId":"ok2","eligible":false,"reason":"paused"}`) {
		t.Errorf("%s %v", out, p)
	}
}

func TestAnAnswerIsNeverLongerThanItsBound(t *testing.T) {
	s, users, _ := newService(t, nil)
	users.chunks = nil
	body := []byte(about)
	least := len(body) + 2*maxLineExtra + maxSummary
	if _, p := s.Answer(t.Context(), "shop", body, least-1); p == nil || p.Code != "body_too_large" || users.chunks != nil {
		t.Errorf("one byte less: %v, read %v", p, users.chunks)
	}
	if out, p := s.Answer(t.Context(), "shop", body, least); p != nil || len(out) > least {
		t.Errorf("%d bytes, %v", len(out), p)
	}
	at := time.Date(2026, 12, 31, 23, 59, 59, 123456789, time.UTC).UnixNano()
	longest := Line{
		Reserve: &Reservation{}, Expires: at, RetryAt: at, Reason: rules.ReasonExclusionUnknown + "_and_some_more", Warning: "network_cap_unknown",
	}
	if n := len(AppendLine(nil, &longest)); n > maxLineExtra {
		t.Errorf("a line has %d bytes beside its ids, the bound is %d", n, maxLineExtra)
	}
	// An id is answered in the shortest form in which it can be sent.
	for id, sent := range map[string]string{
		`"\`: `"\"\\"`, "\x01": `"\u0001"`, "\t\n": `"\t\n"`, "é\u2028\x7f": "\"é\u2028\x7f\"", "<>&": `"<>&"`,
	} {
		if got := string(appendText(nil, id)); got != sent {
			t.Errorf("%q is answered as %s, want %s", id, got, sent)
		}
	}
}
