package precheck

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"pgregory.net/rapid"
)

// crowd is users whose ids say what they are: "de…" live in Germany, "ok…" also consent to push. Everybody's snapshot is
// as old as the id is long.
type crowd struct {
	schema *profile.Schema
	chunks []int
	demand cache.Demand
	fails  error
}

const epoch = int64(1_800_000_000_000_000_000)

func (c *crowd) GetMany(_ context.Context, keys []profile.Key, d *cache.Demand, dst []cache.Read) error {
	c.chunks, c.demand = append(c.chunks, len(keys)), *d
	if c.fails != nil {
		return c.fails
	}
	for i, key := range keys {
		var b profile.Builder
		at := hlc.Timestamp{Wall: epoch - int64(len(key.User))}
		b.Reset(c.schema, key, at)
		if strings.HasPrefix(key.User, "de") || strings.HasPrefix(key.User, "ok") {
			b.Attributes([]byte(`{"country":"DE"}`))
		} else {
			b.Attributes([]byte(`{"country":"FR"}`))
		}
		if strings.HasPrefix(key.User, "ok") {
			b.Consent("push", true)
		}
		dst[i] = cache.Read{Snapshot: b.Build(), TrueAt: at}
	}
	return nil
}

func newJob(t testing.TB) (*Job, *crowd) {
	t.Helper()
	schema, err := profile.NewSchema().WithAttribute("country", profile.Type{Kind: profile.String}, false)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Unix(0, epoch).Add(time.Hour)
	german := rules.Promotion{ID: "german", Name: "n", Rule: "user.country == 'DE'", Channels: []string{"push"}}
	german.Content.Title = "t"
	later := german
	later.ID, later.Schedule = "later", &rules.Schedule{Start: &start}
	spec := rules.Spec{
		Project: "shop", Version: 7, Schema: schema,
		Promotions: rules.NewRoll(rules.LivePromotion{Promotion: &german, Revision: 1}, rules.LivePromotion{Promotion: &later, Revision: 1}),
	}
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(&spec, nil)
	if err != nil || len(rs.Quarantined) > 0 {
		t.Fatal(err, rs.Quarantined)
	}
	promotion, _ := rs.Promotion("german")
	users := &crowd{schema: schema}
	return &Job{Ruleset: rs, Promotion: promotion, Channel: "push", Users: users, Clock: &hlc.Estimate{}}, users
}

// ask runs the job and returns its lines as text.
func ask(t testing.TB, job *Job, ids ...string) ([]string, Summary) {
	t.Helper()
	var lines []string
	sum, err := Run(t.Context(), job, ids, func(l *Line) error {
		lines = append(lines, fmt.Sprintf("%s %s%s", l.UserID, l.Fault, l.Reason))
		if l.Eligible != (l.Reason == rules.ReasonEligible) {
			t.Errorf("%+v contradicts itself", l)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, sum
}

func TestRunAnswersEachUserOnceInOrder(t *testing.T) {
	job, users := newJob(t)
	lines, sum := ask(t, job, "fr1", "ok1", "", "de1", "ok1", "fr1", "a\x00", "ok-long")
	want := "fr1 rule_false|ok1 eligible| invalid_user_id|de1 no_consent|a\x00 invalid_user_id|ok-long eligible"
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if sum.Total != 6 || sum.Eligible != 2 || sum.Failed != 2 || fmt.Sprint(sum.Reasons) != "map[no_consent:1 rule_false:1]" {
		t.Errorf("summary %+v", sum)
	}
	if sum.RulesVersion != 7 || sum.OldestAsOf != (hlc.Timestamp{Wall: epoch - int64(len("ok-long"))}) {
		t.Errorf("version %d, oldest %v", sum.RulesVersion, sum.OldestAsOf)
	}
	if users.demand.MaxStale != 0 || !users.demand.NoStore || users.demand.ReadsSchema != job.Ruleset.ReadsSchema {
		t.Errorf("users were read with %+v", users.demand)
	}
}

func TestRunSaysWhenToTryAgain(t *testing.T) {
	job, _ := newJob(t)
	job.Promotion, _ = job.Ruleset.Promotion("later")
	_, err := Run(t.Context(), job, []string{"ok1", "fr1"}, func(l *Line) error {
		if want := epoch + int64(time.Hour); l.Reason != rules.ReasonNotStarted || l.RetryAt != want {
			t.Errorf("%+v, want to try again at %d", l, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRunOfAQuarantinedPromotionReadsNobody(t *testing.T) {
	job, users := newJob(t)
	job.Promotion = nil
	lines, sum := ask(t, job, "ok1", "")
	if strings.Join(lines, "|") != "ok1 quarantined| invalid_user_id" || sum.Reasons[rules.ReasonQuarantined] != 1 ||
		!sum.OldestAsOf.IsZero() || users.chunks != nil {
		t.Errorf("%q, %+v, chunks %v", lines, sum, users.chunks)
	}
}

func TestRunReadsInBoundedChunks(t *testing.T) {
	job, users := newJob(t)
	rapid.Check(t, func(t *rapid.T) {
		users.chunks = nil
		n := rapid.IntRange(0, 3*ChunkUsers).Draw(t, "users")
		distinct := rapid.IntRange(1, 2*ChunkUsers).Draw(t, "distinct")
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprint([]string{"ok", "de", "fr"}[i%3], i%distinct)
		}
		seen := make(map[string]bool)
		at := 0
		sum, err := Run(context.Background(), job, ids, func(l *Line) error {
			for at < len(ids) && seen[ids[at]] {
				at++
			}
			if at == len(ids) || l.UserID != ids[at] || l.Eligible != strings.HasPrefix(l.UserID, "ok") {
				t.Fatalf("line %+v, want user number %d", l, at)
			}
			seen[l.UserID] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if !seen[id] {
				t.Fatalf("%s was not answered", id)
			}
		}
		if sum.Total != len(seen) {
			t.Fatalf("total %d, want %d", sum.Total, len(seen))
		}
		for _, chunk := range users.chunks {
			if chunk > ChunkUsers {
				t.Fatalf("%d users were read at once", chunk)
			}
		}
	})
}

func TestRunEndsWhenItCannotGoOn(t *testing.T) {
	ids := make([]string, 2*ChunkUsers)
	for i := range ids {
		ids[i] = fmt.Sprint("ok", i)
	}
	job, users := newJob(t)
	gone := errors.New("the reader is gone")
	n := 0
	if _, err := Run(t.Context(), job, ids, func(*Line) error {
		if n++; n == 3 {
			return gone
		}
		return nil
	}); !errors.Is(err, gone) || n != 3 {
		t.Errorf("a reader that leaves: %v after %d lines", err, n)
	}
	users.fails = profile.ErrUnavailable
	if sum, err := Run(t.Context(), job, ids, func(*Line) error { return nil }); !errors.Is(err, profile.ErrUnavailable) || sum.Total != 0 {
		t.Errorf("a store that is down: %v, %+v", err, sum)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(cancelled, job, ids, func(*Line) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
}

func BenchmarkRun(b *testing.B) {
	job, _ := newJob(b)
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprint("ok", i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Run(b.Context(), job, ids, func(*Line) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
