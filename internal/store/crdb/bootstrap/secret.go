package bootstrap

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// Secrets are password hashes by user. They print as nothing.
type Secrets map[string]Hash

// Hash is a SCRAM-SHA-256 verifier: what the database stores instead of a password. Who holds it cannot log in with it, but can guess at
// the password.
type Hash struct{ text string }

// String hides the hash from whatever prints it.
func (Hash) String() string { return hidden }

// GoString does so too.
func (Hash) GoString() string { return hidden }

const hidden = "(hidden)"

// Limits of verifiers. The cost is the one that CockroachDB uses for its own, and the least that PostgreSQL knows.
const (
	maxSecretBytes = 1024
	minIterations  = 4096
	maxIterations  = 10_000_000
	ownIterations  = 119_680
	saltBytes      = 16
)

// ReadSecrets reads the hash of every user of doc that has a passwordFile. The error names files, never what they hold.
func ReadSecrets(doc *Document, dir string) (Secrets, error) {
	secrets := make(Secrets)
	var faults []error
	for i := range doc.Users {
		user := &doc.Users[i]
		if user.PasswordFile == "" {
			continue
		}
		if dir == "" {
			return nil, errors.New("users have password files: name their directory by --secrets-dir")
		}
		hash, err := readHash(filepath.Join(dir, user.PasswordFile))
		if err != nil {
			faults = append(faults, fmt.Errorf("password of user %s: %w", user.Name, err))
		}
		secrets[user.Name] = hash
	}
	return secrets, errors.Join(faults...)
}

func readHash(path string) (Hash, error) {
	file, err := os.Open(path)
	if err != nil {
		return Hash{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSecretBytes+1))
	if err != nil {
		return Hash{}, err
	}
	hash, err := parseHash(strings.TrimSpace(string(text)))
	if err != nil {
		return Hash{}, fmt.Errorf("%s: %w", path, err)
	}
	return hash, nil
}

// errNoHash says what is wanted without repeating what is there, which may be a password in the clear.
var errNoHash = errors.New(`no SCRAM hash; it reads SCRAM-SHA-256$119680:<salt>$<stored key>:<server key>, and "eligibility bootstrap hash" makes one`)

func parseHash(text string) (Hash, error) {
	rest, ok := strings.CutPrefix(text, "SCRAM-SHA-256$")
	head, keys, both := strings.Cut(rest, "$")
	cost, salt, salted := strings.Cut(head, ":")
	stored, server, paired := strings.Cut(keys, ":")
	iterations, err := strconv.Atoi(cost)
	if !ok || !both || !salted || !paired || err != nil || iterations < minIterations || iterations > maxIterations {
		return Hash{}, errNoHash
	}
	for _, part := range []struct {
		text        string
		least, most int
	}{{salt, 8, 256}, {stored, sha256.Size, sha256.Size}, {server, sha256.Size, sha256.Size}} {
		if raw, err := base64.StdEncoding.DecodeString(part.text); err != nil || len(raw) < part.least || len(raw) > part.most {
			return Hash{}, errNoHash
		}
	}
	return Hash{text}, nil
}

// MakeHash makes the verifier of a password (RFC 5803) with a random salt, for a file of the secrets directory. Letters beyond ASCII are
// refused: the databases would first normalise them (SASLprep), and a hash made without that would never match.
func MakeHash(password string) (string, error) {
	if len(password) < 12 {
		return "", errors.New("a password has at least 12 characters")
	}
	if strings.ContainsFunc(password, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
		return "", errors.New("a password has printable ASCII characters only")
	}
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("make a salt: %w", err)
	}
	return verifier(password, salt, ownIterations)
}

func verifier(password string, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	mac := func(text string) []byte {
		m := hmac.New(sha256.New, salted)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(stored[:]), encode(mac("Server Key"))), nil
}
