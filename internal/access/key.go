package access

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"
)

// MaxKeyBytes bounds what is taken for a key at all: a longer one is refused before it is hashed.
const MaxKeyBytes = 128

const (
	keyPrefix = "elg"
	idChars   = 12 // 60 random bits: unique among the keys of an installation, no secret
)

// NewKey makes a key of the kind: "elg_<kind>_<id>_<secret>", its id and the hash to store. The secret part holds at least
// 128 random bits; the text is shown once and never stored. The readable front lets secret scanners and people tell what
// leaked.
func NewKey(kind Kind) (key, id string, hash [32]byte) {
	id = NewID()
	key = strings.Join([]string{keyPrefix, string(kind), id, randomText()}, "_")
	return key, id, Hash(key)
}

// NewID makes the id of a credential, which is no secret.
func NewID() string { return randomText()[:idChars] }

// NewSecret makes a secret to sign user tokens with. Its bytes as text are the HMAC key, as JWT libraries take it.
func NewSecret() string { return randomText() + randomText() }

// Hash is what is stored of a key. A plain hash is enough: a generated key has too many random bits to be guessed from it.
func Hash[T string | []byte](key T) [32]byte { return sha256.Sum256([]byte(key)) }

// randomText is 26 characters of a-z and 2-7: 130 random bits.
func randomText() string { return strings.ToLower(rand.Text()) }
