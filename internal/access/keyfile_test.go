package access

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRootKeyIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "root.key")
	first, created, err := LoadOrCreateRootKey(path)
	if err != nil || !created || !strings.HasPrefix(first, "elg_root_") {
		t.Fatalf("first start: %q, %v, %v", first, created, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file is %v, %v; want mode 0600", info.Mode(), err)
	}
	second, created, err := LoadOrCreateRootKey(path)
	if err != nil || created || second != first {
		t.Fatalf("second start: %q, %v, %v; want the first key %q", second, created, err, first)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".key-*")); len(left) > 0 {
		t.Errorf("temporary files stay behind: %v", left)
	}
}

func TestRootKeyMatchesOnlyItself(t *testing.T) {
	key, _, _ := NewKey(Root)
	root := NewRootKey(key)
	for _, c := range []struct {
		name string
		root RootKey
		key  string
		want bool
	}{
		{"the key", root, key, true},
		{"cut", root, key[:len(key)-1], false},
		{"longer", root, key + "x", false},
		{"empty", root, "", false},
		{"a megabyte", root, strings.Repeat("x", 1<<20), false},
		{"no key was given", RootKey{}, "", false},
		{"no key was given, as text", NewRootKey(""), "", false},
	} {
		if got := c.root.Matches([]byte(c.key)); got != c.want {
			t.Errorf("%s: Matches = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestBadKeyFilesAreRefused(t *testing.T) {
	for _, c := range []struct{ name, text string }{
		{"empty", ""},
		{"guessable", "secret"},
		{"two lines", "elg_root_aaaaaaaaaaaa_one\nelg_root_aaaaaaaaaaaa_two"},
		{"too long", strings.Repeat("x", 5000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if key, _, err := LoadOrCreateRootKey(path); !errors.Is(err, ErrKeyFile) {
				t.Errorf("root key %q: %v, want ErrKeyFile", key, err)
			}
			if key, _, err := LoadOrCreateSecretKey(path); !errors.Is(err, ErrKeyFile) {
				t.Errorf("secret key %x: %v, want ErrKeyFile", key, err)
			}
			if now, _ := os.ReadFile(path); string(now) != c.text {
				t.Error("the file was changed")
			}
		})
	}
}

func TestSecretKeyIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	first, created, err := LoadOrCreateSecretKey(path)
	if err != nil || !created || first == [32]byte{} {
		t.Fatalf("first start: %x, %v, %v", first, created, err)
	}
	second, created, err := LoadOrCreateSecretKey(path)
	if err != nil || created || second != first {
		t.Fatalf("second start: %v, %v; want the first key", created, err)
	}
}
