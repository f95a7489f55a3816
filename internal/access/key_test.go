package access

import (
	"regexp"
	"testing"
)

func TestNewKeyIsReadableAndUnlikeAnyOther(t *testing.T) {
	form := regexp.MustCompile(`^elg_(client|server|admin|root)_[a-z2-7]{12}_[a-z2-7]{26}$`)
	seen := make(map[string]bool)
	for range 200 {
		for _, kind := range []Kind{Client, Server, Admin, Root} {
			key, id, hash := NewKey(kind)
			if !form.MatchString(key) || len(key) > MaxKeyBytes {
				t.Fatalf("NewKey(%s) = %q, want %s", kind, key, form)
			}
			if hash != Hash(key) || hash != Hash([]byte(key)) {
				t.Fatalf("the hash of %q is not the one to store", key)
			}
			if seen[key] || seen[id] {
				t.Fatalf("%q or its id %q came twice", key, id)
			}
			seen[key], seen[id] = true, true
		}
	}
}

func TestNewSecretHoldsMoreThan256Bits(t *testing.T) {
	if secret := NewSecret(); len(secret) != 52 || secret == NewSecret() {
		t.Errorf("NewSecret() = %q, want 52 characters that differ each time", secret)
	}
}

func TestRoleIncludesLesserOnes(t *testing.T) {
	order := []Role{"", Viewer, Editor, Publisher, Owner}
	for i, have := range order {
		for j, need := range order {
			if got := have.Allows(need); got != (i >= j) {
				t.Errorf("%q allows %q: %v", have, need, got)
			}
		}
	}
}
