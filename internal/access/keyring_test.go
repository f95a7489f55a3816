package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/hlc"
)

// shelf is a store of credentials.
type shelf struct {
	mu      sync.Mutex
	listed  []Credential
	asOf    hlc.Timestamp
	fails   error
	listing int // how often it was asked
}

func (s *shelf) Credentials(context.Context) ([]Credential, hlc.Timestamp, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listing++
	return append([]Credential(nil), s.listed...), s.asOf, s.fails
}

func (s *shelf) set(asOf int64, listed ...Credential) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed, s.asOf = listed, hlc.Timestamp{Wall: asOf}
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = err
}

func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listing
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func credential(key string) Credential {
	return Credential{ID: "id-" + key, Project: "shop", Kind: Server, Hash: Hash(key)}
}

func newRing(t testing.TB, s *shelf) *Keyring {
	t.Helper()
	k := NewKeyring(s, newSealer(t, 1), quiet())
	if err := k.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestLookup(t *testing.T) {
	revoked := credential("gone")
	at := time.Unix(1, 0)
	revoked.RevokedAt = &at
	s := &shelf{}
	s.set(1, credential("one"), revoked, credential("two"))
	k := newRing(t, s)
	for _, c := range []struct {
		name, key string
		want      bool
	}{
		{"known", "one", true},
		{"another", "two", true},
		{"revoked", "gone", false},
		{"unknown", "three", false},
		{"empty", "", false},
		{"huge", string(make([]byte, 1<<20)), false},
	} {
		e, ok := k.Lookup([]byte(c.key))
		if ok != c.want || ok && e.ID != "id-"+c.key {
			t.Errorf("%s: Lookup = %+v, %v; want %v", c.name, e, ok, c.want)
		}
	}
	if k.Len() != 2 || k.AsOf() != (hlc.Timestamp{Wall: 1}) {
		t.Errorf("Len %d, AsOf %v; want 2 keys as of 1", k.Len(), k.AsOf())
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	s := &shelf{}
	s.set(1, credential("one"))
	k := newRing(t, s)
	key := []byte("one")
	if n := testing.AllocsPerRun(100, func() { k.Lookup(key) }); n != 0 {
		t.Errorf("Lookup allocates %v times", n)
	}
}

func TestAnUnchangedCredentialKeepsItsEntry(t *testing.T) {
	c := credential("one")
	c.Secrets = [][]byte{newSealer(t, 1).Seal([]byte("s"), c.Project, c.ID)}
	s := &shelf{}
	s.set(1, c)
	k := newRing(t, s)
	entry := func() *Entry {
		if err := k.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		e, _ := k.Lookup([]byte("one"))
		return e
	}
	before := entry()
	s.set(2, c, credential("two"))
	if entry() != before {
		t.Error("a reload that changed another key made a new entry: every verdict would be forgotten")
	}
	for _, change := range []struct {
		name  string
		apply func(*Credential)
	}{
		{"a second secret", func(c *Credential) {
			c.Secrets = append([][]byte{newSealer(t, 1).Seal([]byte("n"), c.Project, c.ID)}, c.Secrets...)
		}},
		{"no secret", func(c *Credential) { c.Secrets = nil }},
		{"requireJwt", func(c *Credential) { c.RequireJWT = true }},
		{"role", func(c *Credential) { c.Role = Owner }},
	} {
		before := entry()
		change.apply(&c)
		s.set(3, c)
		if entry() == before {
			t.Errorf("%s: the entry stayed the same, and so would its verdicts", change.name)
		}
	}
}

func TestAnOlderListingChangesNothing(t *testing.T) {
	s := &shelf{}
	s.set(5, credential("new"))
	k := newRing(t, s)
	s.set(4, credential("old"))
	if err := k.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := k.Lookup([]byte("old")); ok {
		t.Error("a listing from before the one in force replaced it")
	}
}

func TestASecretThatDoesNotOpenFailsClosed(t *testing.T) {
	c := credential("one")
	c.RequireJWT, c.Secrets = true, [][]byte{newSealer(t, 9).Seal([]byte("s"), c.Project, c.ID)}
	s := &shelf{}
	s.set(1, c)
	k := newRing(t, s)
	e, ok := k.Lookup([]byte("one"))
	if !ok || !e.RequireJWT {
		t.Fatalf("Lookup = %+v, %v", e, ok)
	}
	if _, err := NewVerifier(4).Verify(e, []byte(sign(t, "s", validClaims())), clock); !errors.Is(err, ErrToken) {
		t.Errorf("Verify = %v, want a refusal", err)
	}
}

func TestRevocationIsInForceWithinTheReloadInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		s.set(1, credential("one"))
		k := NewKeyring(s, newSealer(t, 1), quiet())
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer k.Stop()
		s.set(2)
		time.Sleep(ReloadEvery + time.Millisecond) // fake time
		synctest.Wait()
		if _, ok := k.Lookup([]byte("one")); ok {
			t.Error("a revoked key is still in force after the reload interval")
		}
	})
}

func TestRefreshIsSoonAndCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		k := NewKeyring(s, newSealer(t, 1), quiet())
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer k.Stop()
		synctest.Wait()
		before := s.count()
		s.set(2, credential("one"))
		for range 1000 {
			k.Refresh()
		}
		synctest.Wait()
		if _, ok := k.Lookup([]byte("one")); !ok {
			t.Error("a refreshed keyring does not know the new key")
		}
		if n := s.count() - before; n < 1 || n > 2 {
			t.Errorf("a thousand refreshes made %d reloads, want 1 or 2", n)
		}
	})
}

func TestKnownKeysOutliveTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		s.set(1, credential("one"))
		k := NewKeyring(s, newSealer(t, 1), quiet())
		if err := k.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.fail(errors.New("down"))
		time.Sleep(10 * ReloadEvery) // fake time
		if _, ok := k.Lookup([]byte("one")); !ok {
			t.Error("the key was lost with the store")
		}
		s.fail(nil)
		s.set(2, credential("two"))
		time.Sleep(ReloadEvery + time.Millisecond)
		synctest.Wait()
		if _, ok := k.Lookup([]byte("two")); !ok {
			t.Error("the keyring did not recover with the store")
		}
		k.Stop()
		k.Stop() // idempotent
	})
}

func TestStartTellsThatTheStoreIsDown(t *testing.T) {
	s := &shelf{}
	s.fail(errors.New("down"))
	k := NewKeyring(s, newSealer(t, 1), quiet())
	if err := k.Start(t.Context()); err == nil {
		t.Error("Start succeeded without keys")
	}
	k.Stop()
}

func TestLookupsAndReloadsRunTogether(t *testing.T) {
	s := &shelf{}
	s.set(1, credential("stays"))
	k := newRing(t, s)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for n := range 200 {
				if i == 0 {
					s.set(int64(n), credential("stays"), credential(fmt.Sprint(n)))
					_ = k.Reload(t.Context())
				} else if _, ok := k.Lookup([]byte("stays")); !ok {
					t.Error("a key in force was not found during a reload")
					return
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkLookup(b *testing.B) {
	s := &shelf{}
	listed := make([]Credential, 10_000)
	for i := range listed {
		listed[i] = credential(fmt.Sprint(i))
	}
	s.set(1, listed...)
	k := newRing(b, s)
	key := []byte("5000")
	b.ReportAllocs()
	for b.Loop() {
		k.Lookup(key)
	}
}

func TestAllowsOrigin(t *testing.T) {
	for _, c := range []struct {
		origins []string
		origin  string
		want    bool
	}{
		{nil, "https://a.example", true},
		{[]string{"https://a.example", "http://localhost:3000"}, "http://localhost:3000", true},
		{[]string{"https://a.example"}, "https://a.example.evil", false},
		{[]string{"https://a.example"}, "https://a.exampl", false},
		{[]string{"https://a.example"}, "null", false},
		{[]string{"https://a.example"}, "", false},
	} {
		if got := (&Entry{Origins: c.origins}).AllowsOrigin([]byte(c.origin)); got != c.want {
			t.Errorf("a key for %v and %q: %v, want %v", c.origins, c.origin, got, c.want)
		}
	}
}
