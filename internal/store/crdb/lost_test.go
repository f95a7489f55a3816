package crdb

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// cutter stands between store and database and cuts the connection in place of an answer that says mark, as often as it was told to. What
// was asked has then happened, and nobody heard of it.
type cutter struct {
	target string
	mark   []byte
	left   atomic.Int64
	ln     net.Listener
	group  sync.WaitGroup
	onCut  func() // before the connection is cut
}

// wantNumber looks at the user's attribute n.
func wantNumber(t *testing.T, s *Store, user, want string) {
	t.Helper()
	record, err := s.ReadUser(t.Context(), profile.Key{Project: "p", User: user}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(record.Attributes["n"]); got != want {
		t.Errorf("n is %q, want %s", got, want)
	}
}

func newCutter(t *testing.T, target, mark string) *cutter {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{target: target, mark: []byte(mark), ln: ln}
	c.group.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			c.group.Go(func() { c.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		c.group.Wait()
	})
	return c
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close() //nolint:errcheck // it is cut
	server, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	c.group.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	defer server.Close() //nolint:errcheck // it is cut
	answer := make([]byte, 64<<10)
	for {
		n, err := server.Read(answer)
		if err != nil {
			return
		}
		if bytes.Contains(answer[:n], c.mark) && c.left.Add(-1) >= 0 {
			if c.onCut != nil {
				c.onCut()
			}
			return
		}
		if _, err := client.Write(answer[:n]); err != nil {
			return
		}
	}
}

// TestACommitWhoseAnswerIsLostHappensOnce cuts the connection between commit and answer, once and three times in a row: the call
// succeeds, and its effect is there once.
func TestACommitWhoseAnswerIsLostHappensOnce(t *testing.T) {
	t.Parallel()
	for _, cuts := range []int64{1, 3} {
		direct := replicas(t, 1)[0]
		address := direct.pool.Config().ConnConfig
		host, port := address.Host, address.Port
		target := net.JoinHostPort(host, strconv.Itoa(int(port)))
		through := func(t *testing.T, mark string) (*Store, *cutter) {
			t.Helper()
			c := newCutter(t, target, mark)
			cfg := direct.cfg
			cfg.URL = strings.Replace(cfg.URL, target, c.ln.Addr().String(), 1)
			return openStore(t, cfg), c
		}
		t.Run("a publish", func(t *testing.T) {
			s, c := through(t, "COMMIT\x00")
			c.left.Store(cuts)
			version, err := direct.Version(t.Context(), "p")
			if err != nil {
				t.Fatal(err)
			}
			commit := rules.Commit{Project: "p", ExpectVersion: version, NewVersion: true, Audit: audit.Entry{Action: "once"}, Receipt: &rules.Receipt{Key: "k" + strconv.Itoa(int(cuts))}}
			at, err := s.Commit(t.Context(), &commit)
			if err != nil {
				t.Fatalf("Commit: %v", err)
			}
			if now, err := direct.Version(t.Context(), "p"); err != nil || now != version+1 {
				t.Errorf("version %d (%v) after one publish at %d", now, err, version)
			}
			receipt, err := direct.Receipt(t.Context(), "p", commit.Receipt.Key)
			if err != nil || receipt.At != at {
				t.Errorf("the receipt is of %v (%v), the commit said %v", receipt, err, at)
			}
			if entries, _, err := direct.Audit(t.Context(), "p", "", 100); err != nil || len(entries) != 2 {
				t.Errorf("%d audit entries (%v), want the project's and the publish's", len(entries), err)
			}
			if lost := s.Stats().Lost; lost != uint64(cuts) || c.left.Load() > 0 {
				t.Errorf("%d tries lost their connection, want %d", lost, cuts)
			}
		})
		t.Run("a user, whom nobody else writes meanwhile", func(t *testing.T) {
			s, c := through(t, "COMMIT\x00")
			c.left.Store(cuts)
			if _, _, err := s.PutUsers(t.Context(), "p", []profile.Update{{UserID: "alone", Attributes: attributes(`{"n":1}`)}}); err != nil {
				t.Fatalf("PutUsers: %v", err)
			}
			wantNumber(t, direct, "alone", "1")
		})
		t.Run("a user, whom another writes meanwhile", func(t *testing.T) {
			s, c := through(t, "COMMIT\x00")
			c.onCut = func() {
				if _, _, err := direct.PutUsers(t.Context(), "p", []profile.Update{{UserID: "shared", Attributes: attributes(`{"n":2}`)}}); err != nil {
					t.Errorf("PutUsers: %v", err)
				}
			}
			c.left.Store(1)
			_, _, err := s.PutUsers(t.Context(), "p", []profile.Update{{UserID: "shared", Attributes: attributes(`{"n":1}`)}})
			if err != nil && !errors.Is(err, ErrAmbiguous) {
				t.Fatalf("PutUsers: %v", err)
			}
			wantNumber(t, direct, "shared", "2") // 1 was there before; were it there again, one write would have happened twice
		})
		t.Run("events without ids", func(t *testing.T) {
			s, c := through(t, "INSERT 0 2\x00")
			c.left.Store(cuts)
			batch := []profile.NewEvent{{UserID: "u", Name: "step", OccurredAt: time.Now()}, {UserID: "u", Name: "step"}}
			at, _, err := s.PutEvents(t.Context(), "p", batch)
			if err != nil {
				t.Fatalf("PutEvents: %v", err)
			}
			record, err := direct.ReadUser(t.Context(), profile.Key{Project: "p", User: "u"}, 10)
			if err != nil || len(record.Events) != 2 || record.AsOf.Before(at) {
				t.Errorf("%d events as of %v (%v), want two as of %v or later", len(record.Events), record.AsOf, err, at)
			}
		})
		t.Run("a read", func(t *testing.T) {
			s, c := through(t, "SELECT 2\x00")
			dst := make([]*profile.Snapshot, 1)
			for range 2 { // the first learns the schema
				c.left.Store(cuts)
				if err := s.Load(t.Context(), []profile.Key{{Project: "p", User: "nobody"}}, dst); err != nil {
					t.Fatalf("Load: %v", err)
				}
			}
		})
		t.Run("no answer ever", func(t *testing.T) {
			s, c := through(t, "COMMIT\x00")
			s.cfg.WriteTimeout = 2 * time.Second
			c.left.Store(1 << 30)
			_, _, err := s.PutUsers(t.Context(), "p", []profile.Update{{UserID: "v", Attributes: attributes(`{"n":5}`)}})
			if !errors.Is(err, ErrAmbiguous) || !errors.Is(err, profile.ErrUnavailable) {
				t.Errorf("got %v, want ErrAmbiguous", err)
			}
		})
	}
}
