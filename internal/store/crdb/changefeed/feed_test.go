package changefeed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/events/changejson"
	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb/fakefeed"
)

// endless sends rows of one user until the client is gone, and a resolved stamp after every tenth.
type endless struct{ image string }

func (e endless) Stream(ctx context.Context, after hlc.Timestamp, send func(fakefeed.Message) error) error {
	for at := after.Next(); ctx.Err() == nil; at = at.Next() {
		m := fakefeed.Row("profiles", `["acme", "u1"]`, e.image, at)
		if at.Logical%10 == 0 {
			m = fakefeed.Resolved(at)
		}
		if err := send(m); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func TestFaultsHaveTheirErrors(t *testing.T) {
	missing := &fakefeed.Error{Code: "3D000", Text: `failed to resolve targets in the CHANGEFEED stmt: database "x" does not exist`}
	cases := []struct {
		name    string
		faults  fakefeed.Faults
		missing bool
		want    error
		because error
	}{
		{name: "nothing comes from the beginning", faults: fakefeed.Faults{SilentAfter: 1}, want: events.ErrUnavailable, because: ErrSilent},
		{name: "nothing comes any more", faults: fakefeed.Faults{SilentAfter: 25}, want: events.ErrUnavailable, because: ErrSilent},
		{name: "cut in the middle of a message", faults: fakefeed.Faults{CutAfter: 25}, want: events.ErrUnavailable},
		{name: "the server shuts down", faults: fakefeed.Faults{DownAfter: 25}, want: events.ErrUnavailable, because: ErrShutdown},
		{name: "a row without a stamp", faults: fakefeed.Faults{UndatedAt: 7}, want: events.ErrCursorTooOld, because: changejson.ErrUndated},
		{name: "history is gone", faults: fakefeed.Faults{Refuse: fakefeed.Collected(cursor(), hlc.Timestamp{Wall: 5})}, want: events.ErrCursorTooOld, because: ErrCollected},
		{name: "the tables are newer than the cursor", faults: fakefeed.Faults{Refuse: missing}, want: events.ErrCursorTooOld, because: ErrTooNew},
		{name: "the tables are gone", faults: fakefeed.Faults{Refuse: missing}, missing: true, want: events.ErrUnavailable, because: ErrMissing},
		{
			name: "a backup does not reach back", faults: fakefeed.Faults{Refuse: &fakefeed.Error{Code: "XXUUU", Text: "supplied backups do not cover requested time"}},
			want: events.ErrCursorTooOld, because: ErrTooNew,
		},
		{
			name: "the primary key changed", faults: fakefeed.Faults{Refuse: &fakefeed.Error{Code: "XXUUU", Text: "schema change occurred at 1.000000001,0"}},
			want: events.ErrCursorTooOld, because: ErrAltered,
		},
		{
			name: "no privilege", faults: fakefeed.Faults{Refuse: &fakefeed.Error{Code: "42501", Text: "user relay does not have CHANGEFEED privilege"}},
			want: events.ErrUnavailable, because: ErrDenied,
		},
		{
			name: "rangefeeds off", faults: fakefeed.Faults{Refuse: &fakefeed.Error{Code: "XXUUU", Text: "rangefeeds require the kv.rangefeed.enabled setting"}},
			want: events.ErrUnavailable, because: ErrRangefeed,
		},
		{
			name: "cancelled by an operator", faults: fakefeed.Faults{Refuse: &fakefeed.Error{Code: "57014", Text: "query execution canceled"}},
			want: events.ErrUnavailable,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := fakefeed.Start(t, fakefeed.Options{Source: endless{"{}"}, Faults: c.faults, Missing: c.missing})
			feed := quickly(t, server.URL, changejson.Tables())
			if c.because == ErrSilent { //nolint:errorlint // the table's own
				feed.cfg.Quiet = 300 * time.Millisecond
			}
			_, err := play(t, feed, nil)
			if !errors.Is(err, c.want) || c.because != nil && !errors.Is(err, c.because) {
				t.Errorf("Follow: %v, want %v because %v", err, c.want, c.because)
			}
		})
	}
}

func TestARowWithoutAKeyBecomesAGap(t *testing.T) {
	server := fakefeed.Start(t, fakefeed.Options{Source: endless{"{}"}, Faults: fakefeed.Faults{NullKeyAt: 3}})
	got, _ := play(t, quickly(t, server.URL, changejson.Tables()), &expectation{changes: make([]events.Change, 9), resolved: make([]hlc.Timestamp, 1)})
	if len(got.changes) < 4 {
		t.Fatalf("%d changes", len(got.changes))
	}
	if untold := got.changes[2]; untold.Table != 0 || untold.At != (hlc.Timestamp{Wall: 1, Logical: 3}) {
		t.Errorf("the third change is %+v, want no table and its stamp", untold)
	}
	if got.changes[3].Table != events.TableProfile {
		t.Errorf("the feed does not go on: %+v", got.changes[3])
	}
}

func TestEndsFromOutside(t *testing.T) {
	server := fakefeed.Start(t, fakefeed.Options{Source: endless{"{}"}})
	feed := quickly(t, server.URL, changejson.Tables())
	t.Run("the context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := feed.Follow(ctx, cursor(), func(events.FeedBatch) error { cancel(); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Follow: %v", err)
		}
	})
	t.Run("no cursor", func(t *testing.T) {
		if err := feed.Follow(t.Context(), hlc.Timestamp{}, nil); !errors.Is(err, events.ErrCursorTooOld) {
			t.Errorf("Follow: %v", err)
		}
	})
	t.Run("the server is down and up again", func(t *testing.T) {
		server.Down()
		if _, err := play(t, feed, nil); !errors.Is(err, events.ErrUnavailable) {
			t.Errorf("Follow: %v", err)
		}
		if err := server.Listen(); err != nil {
			t.Fatal(err)
		}
		err := feed.Follow(t.Context(), cursor(), func(events.FeedBatch) error { return errEnough })
		if err != errEnough { //nolint:errorlint // as it is
			t.Errorf("Follow: %v", err)
		}
	})
}

func TestWhileNobodyTakesTheDatabaseWaits(t *testing.T) {
	server := fakefeed.Start(t, fakefeed.Options{Source: endless{`"` + strings.Repeat("x", 200<<10) + `"`}})
	feed := quickly(t, server.URL, changejson.Tables())
	feed.cfg.Quiet = 100 * time.Millisecond // a wait that is ours is not the database's silence
	calls, still := 0, uint64(0)
	err := feed.Follow(t.Context(), cursor(), func(events.FeedBatch) error {
		if calls++; calls > 1 {
			return errEnough
		}
		for settled := 0; settled < 10; { // until the server has stood still for several times Quiet
			now := server.Stats().Messages
			if now == still {
				settled++
			} else {
				settled = 0
			}
			still = now
			<-time.After(50 * time.Millisecond)
		}
		return nil
	})
	if err != errEnough { //nolint:errorlint // as it is
		t.Errorf("Follow: %v", err)
	}
	// The batch in hand, those read ahead, and what sockets hold.
	if limit := uint64(2*events.MaxBatchChanges + 150); still > limit {
		t.Errorf("%d messages were sent while nobody took any, want at most %d", still, limit)
	}
	t.Logf("%d messages of 200 kB were sent, of which at most %d changes are kept", still, 2*events.MaxBatchChanges)
}

func TestStatements(t *testing.T) {
	cases := []struct{ version, begins string }{
		{"CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu)", "CREATE CHANGEFEED FOR TABLE "},
		{"CockroachDB CCL v22.1.9 (x86_64-pc-linux-gnu)", "CREATE CHANGEFEED FOR TABLE "},
		{"CockroachDB CCL v21.2.4 (x86_64-pc-linux-gnu)", "EXPERIMENTAL CHANGEFEED FOR TABLE "},
	}
	const rest = `"profiles", "user_events", "emails", "rulesets", "api_keys" WITH updated, resolved='200ms', min_checkpoint_frequency='200ms', ` +
		`schema_change_policy='nobackfill', cursor='0.0000000001'`
	for _, c := range cases {
		t.Run(c.version, func(t *testing.T) {
			server := fakefeed.Start(t, fakefeed.Options{Source: endless{"{}"}, Version: c.version})
			after := hlc.Timestamp{Logical: 1}
			_ = quickly(t, server.URL, changejson.Tables()).Follow(t.Context(), after, func(events.FeedBatch) error { return errEnough })
			if got := fmt.Sprint(server.Asked()); got != "["+c.begins+rest+"]" {
				t.Errorf("got  %s\nwant %s", got, c.begins+rest)
			}
		})
	}
}

func TestValidateNeverQuotesTheURL(t *testing.T) {
	cfg := Config{URL: "postgres://relay:hunter2@%%%/x"}
	if err := cfg.Validate(); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Validate: %v", err)
	}
}
