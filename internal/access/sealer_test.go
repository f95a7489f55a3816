package access

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func newSealer(t testing.TB, key byte) *Sealer {
	t.Helper()
	s, err := NewSealer([32]byte{key})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedSecretOpensOnlyForItsOwner(t *testing.T) {
	s := newSealer(t, 1)
	sealed := s.Seal([]byte("secret"), "shop", "k1")
	if got, err := s.Open(sealed, "shop", "k1"); err != nil || string(got) != "secret" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	altered := bytes.Clone(sealed)
	altered[len(altered)-1] ^= 1
	otherVersion := bytes.Clone(sealed)
	otherVersion[0]++
	for _, c := range []struct {
		name        string
		sealer      *Sealer
		sealed      []byte
		project, id string
	}{
		{"another installation", newSealer(t, 2), sealed, "shop", "k1"},
		{"another project", s, sealed, "other", "k1"},
		{"another credential", s, sealed, "shop", "k2"},
		{"owner split elsewhere", s, sealed, "shop\x00k", "1"},
		{"altered", s, altered, "shop", "k1"},
		{"another version", s, otherVersion, "shop", "k1"},
		{"cut", s, sealed[:8], "shop", "k1"},
		{"empty", s, nil, "shop", "k1"},
	} {
		if got, err := c.sealer.Open(c.sealed, c.project, c.id); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: Open = %q, %v; want ErrSealed", c.name, got, err)
		}
	}
}

func TestSealingHidesAndNeverRepeats(t *testing.T) {
	s := newSealer(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 8, 64).Draw(t, "plain")
		one, two := s.Seal(plain, "p", "k"), s.Seal(plain, "p", "k")
		if bytes.Equal(one, two) || bytes.Contains(one, plain) {
			t.Fatalf("Seal(%x) = %x and %x", plain, one, two)
		}
		if back, err := s.Open(one, "p", "k"); err != nil || !bytes.Equal(back, plain) {
			t.Fatalf("Open(Seal(%x)) = %x, %v", plain, back, err)
		}
	})
}
