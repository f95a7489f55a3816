package access

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestARememberedTokenDiesWithItsKeySecretAndTime(t *testing.T) {
	v := NewVerifier(64)
	token := []byte(sign(t, secret, validClaims()))
	e := client(secret)
	if _, err := v.Verify(e, token, clock); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		entry *Entry
		at    time.Time
		want  error
	}{
		{"a moment later", e, clock.Add(time.Second), nil},
		{"the last second", e, clock.Add(time.Hour - time.Second), nil},
		{"at exp", e, clock.Add(time.Hour), ErrTokenExpired},
		{"our clock was set back beyond its issue", e, clock.Add(-time.Hour), ErrTokenNotYet},
		{"the secret was replaced", client("new"), clock, ErrTokenSignature},
		{"the secret was rotated, the old one still counts", client("new", secret), clock, nil},
		{"another key", client("other"), clock, ErrTokenSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := v.Verify(c.entry, token, c.at); !errors.Is(err, c.want) {
				t.Errorf("Verify = %v, want %v", err, c.want)
			}
		})
	}
}

func TestARememberedTokenAllocatesNothing(t *testing.T) {
	v, e := NewVerifier(64), client(secret)
	token := []byte(sign(t, secret, validClaims()))
	verify := func() {
		if _, err := v.Verify(e, token, clock); err != nil {
			t.Fatal(err)
		}
	}
	verify()
	if n := testing.AllocsPerRun(100, verify); n != 0 {
		t.Errorf("Verify allocates %v times", n)
	}
}

func TestMemoryIsBoundedAndRefusalsAreNotRemembered(t *testing.T) {
	v, e := NewVerifier(8), client(secret)
	held := func() (n int) {
		for i := range v.sets {
			for j := range v.sets[i] {
				if v.sets[i][j].Load() != nil {
					n++
				}
			}
		}
		return n
	}
	for i := range 50 {
		_, _ = v.Verify(e, []byte(sign(t, "guess", with(jwt.MapClaims{"userId": fmt.Sprint(i)}))), clock)
	}
	if held() != 0 {
		t.Errorf("%d refused tokens are remembered", held())
	}
	for i := range 500 {
		user := fmt.Sprint(i)
		got, err := v.Verify(e, []byte(sign(t, secret, with(jwt.MapClaims{"userId": user}))), clock)
		if err != nil || got.UserID != user {
			t.Fatalf("Verify = %+v, %v; want %s", got, err, user)
		}
	}
	if n := held(); n > 8 {
		t.Errorf("%d tokens are remembered, want at most 8", n)
	}
}

func TestVerifyFromManyGoroutines(t *testing.T) {
	v, e := NewVerifier(8), client(secret)
	var tokens [16][]byte
	for i := range tokens {
		tokens[i] = []byte(sign(t, secret, with(jwt.MapClaims{"userId": fmt.Sprint(i)})))
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 400 {
				got, err := v.Verify(e, tokens[i%len(tokens)], clock)
				if err != nil || got.UserID != fmt.Sprint(i%len(tokens)) {
					t.Errorf("Verify = %+v, %v; want user %d", got, err, i%len(tokens))
					return
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkVerify(b *testing.B) {
	e := client(secret)
	token := []byte(sign(b, secret, validClaims()))
	b.Run("remembered", func(b *testing.B) {
		v := NewVerifier(64)
		b.ReportAllocs()
		for b.Loop() {
			_, _ = v.Verify(e, token, clock)
		}
	})
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = check(e, token)
		}
	})
}
