package precheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/go-json-experiment/json/jsontext"
)

// pass runs a stream over the text and returns the whole answer.
func pass(t *testing.T, job *Job, in io.Reader) (string, Summary, error) {
	t.Helper()
	var out []byte
	sum, err := Stream(t.Context(), job, in, func(l *Line) error { out = AppendLine(out, l); return nil }, func() error { return nil })
	if err == nil {
		out = AppendSummary(out, &sum)
	}
	return string(out), sum, err
}

func TestAStreamAnswersEveryLineInOrder(t *testing.T) {
	job, _ := newJob(t)
	in := `{"userId":"ok1"}

{"userId":"fr1","note":"the sender's own"}
{"userId":"ok1"}
{"userId":""}
{"userid":"ok2"}
nonsense
{"userId":"` + strings.Repeat("x", MaxLineBytes) + `"}
{"userId":"ok2","userId":"ok3"}
` + "{\"userId\":\"\xff\"}" + `
{"userId":"de1"}`
	out, sum, err := pass(t, job, strings.NewReader(in))
	want := `{"userId":"ok1","eligible":true,"reason":"eligible"}
{"userId":"fr1","eligible":false,"reason":"rule_false"}
{"userId":"ok1","eligible":true,"reason":"eligible"}
{"userId":"","error":{"code":"invalid_user_id","line":5}}
{"userId":"","error":{"code":"invalid_json","line":6}}
{"userId":"","error":{"code":"invalid_json","line":7}}
{"userId":"","error":{"code":"line_too_long","line":8}}
{"userId":"","error":{"code":"invalid_json","line":9}}
{"userId":"","error":{"code":"invalid_json","line":10}}
{"userId":"de1","eligible":false,"reason":"no_consent"}
`
	if err != nil || !strings.HasPrefix(out, want) {
		t.Errorf("%v, got\n%s\nwant\n%s", err, out, want)
	}
	if sum.Total != 10 || sum.Eligible != 2 || sum.Failed != 6 || sum.Reasons[rules.ReasonRuleFalse] != 1 {
		t.Errorf("%+v", sum)
	}
}

// everybody is one user.
type everybody struct{ snap *profile.Snapshot }

func (e everybody) GetMany(_ context.Context, keys []profile.Key, _ *cache.Demand, dst []cache.Read) error {
	for i := range keys {
		dst[i] = cache.Read{Snapshot: e.snap, TrueAt: e.snap.AsOf}
	}
	return nil
}

// TestALineIsReadAndWrittenWithoutMemoryOfItsOwn counts what a long stream of plain lines allocates beside reading its users.
func TestALineIsReadAndWrittenWithoutMemoryOfItsOwn(t *testing.T) {
	job, known := newJob(t)
	var b profile.Builder
	b.Reset(known.schema, profile.Key{Project: "shop", User: "ok1"}, hlc.Timestamp{Wall: epoch})
	b.Attributes([]byte(`{"country":"DE"}`))
	job.Users = everybody{b.Build()}
	const lines = 64 * ChunkUsers
	in := strings.Repeat("{\"userId\":\"ok1\"}\n", lines)
	var out []byte
	few := testing.AllocsPerRun(3, func() {
		_, err := Stream(t.Context(), job, strings.NewReader(in), func(l *Line) error { out = AppendLine(out, l); return nil }, func() error { out = out[:0]; return nil })
		if err != nil {
			t.Fatal(err)
		}
	})
	if each := few / lines; each > 0.1 {
		t.Errorf("%.2f allocations for a line", each)
	}
}

func TestTextsAreWrittenAsTheLibraryWritesThem(t *testing.T) {
	for c := range rune(0x180) {
		text := "a" + string(c) + "b"
		if want, _ := jsontext.AppendQuote(nil, text); string(appendText(nil, text)) != string(want) {
			t.Errorf("%q: %s, want %s", text, appendText(nil, text), want)
		}
	}
}

func TestWhatWaitsIsAnsweredAtOnce(t *testing.T) {
	job, _ := newJob(t)
	in, sender := io.Pipe()
	answers := make(chan string)
	done := make(chan error, 1)
	go func() {
		var pending bytes.Buffer
		_, err := Stream(t.Context(), job, in, func(l *Line) error { pending.Write(AppendLine(nil, l)); return nil }, func() error {
			answers <- pending.String()
			pending.Reset()
			return nil
		})
		done <- err
	}()
	for i := range 5 {
		if _, err := fmt.Fprintf(sender, "{\"userId\":\"ok%d\"}\n", i); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-answers:
			if want := fmt.Sprintf("{\"userId\":\"ok%d\",\"eligible\":true,\"reason\":\"eligible\"}\n", i); got != want {
				t.Errorf("got %q", got)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("no answer while the stream is open")
		}
	}
	_ = sender.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAStreamHoldsTwoChunksAtMost(t *testing.T) {
	job, users := newJob(t)
	const lines = 10_000
	written := make(chan int, 1)
	in, sender := io.Pipe()
	go func() {
		n := 0
		for ; n < lines; n++ {
			if _, err := io.WriteString(sender, "{\"userId\":\"ok\"}\n"); err != nil {
				break
			}
		}
		_ = sender.Close()
		written <- n
	}()
	blocked := errors.New("the client is gone")
	chunks := 0
	_, err := Stream(t.Context(), job, in, func(*Line) error { return nil }, func() error {
		if chunks++; chunks == 3 {
			_ = in.CloseWithError(blocked) // as the server closes the body of a client that is gone
			return blocked
		}
		return nil
	})
	if !errors.Is(err, blocked) {
		t.Errorf("%v", err)
	}
	if n := <-written; n > 6*ChunkUsers {
		t.Errorf("%d lines were read for three chunks", n)
	}
	for _, n := range users.chunks {
		if n > ChunkUsers {
			t.Errorf("a chunk of %d", n)
		}
	}
}

func TestWithdrawingStopsAStreamAndTheReadingOfUsers(t *testing.T) {
	job, users := newJob(t)
	var reason rules.Reason
	job.Withdrawn = func() rules.Reason { return reason }
	sum, err := Stream(t.Context(), job, strings.NewReader(strings.Repeat("{\"userId\":\"ok\"}\n", 3*ChunkUsers)), func(*Line) error { return nil },
		func() error { reason = rules.ReasonPaused; return nil })
	if err != nil || sum.Eligible == 0 || sum.Eligible > 2*ChunkUsers || sum.Reasons[rules.ReasonPaused] == 0 || len(users.chunks) > 2*batches {
		t.Errorf("%+v, %v, chunks read %v", sum, err, users.chunks)
	}
}

func TestAStreamEndsWithItsFaults(t *testing.T) {
	fault := errors.New("a fault")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	one := "{\"userId\":\"ok\"}\n"
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		in    io.Reader
		users error
		yield error
		flush error
		want  error
	}{
		{"none", t.Context(), strings.NewReader(one), nil, nil, nil, nil},
		{"nothing at all", t.Context(), strings.NewReader(""), nil, nil, nil, nil},
		{"the store", t.Context(), strings.NewReader(one), fault, nil, nil, fault},
		{"the reader of the answer", t.Context(), strings.NewReader(one), nil, fault, nil, fault},
		{"the flushing", t.Context(), strings.NewReader(one), nil, nil, fault, fault},
		{"the sender", t.Context(), io.MultiReader(strings.NewReader(one), broken{fault}), nil, nil, nil, fault},
		{"the context", ended, strings.NewReader(strings.Repeat(one, 5*ChunkUsers)), context.Canceled, nil, nil, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job, users := newJob(t)
			users.fails = tt.users
			_, err := Stream(tt.ctx, job, tt.in, func(*Line) error { return tt.yield }, func() error { return tt.flush })
			if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func FuzzStream(f *testing.F) {
	f.Add("{\"userId\":\"ok1\"}\n\n{\"userId\":1}\n")
	f.Add(strings.Repeat("x", MaxLineBytes+1) + "\n{\"userId\":\"de\"}")
	f.Fuzz(func(t *testing.T, text string) {
		job, _ := newJob(t)
		out, sum, err := pass(t, job, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out, "\n"); n != sum.Total+1 {
			t.Errorf("%d lines for %d users", n, sum.Total)
		}
	})
}
