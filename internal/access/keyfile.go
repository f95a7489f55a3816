package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// minRootKeyChars keeps an operator from guarding everything with "secret".
const minRootKeyChars = 20

// maxKeyFileBytes bounds a key file: a longer one is not a key.
const maxKeyFileBytes = 4096

// ErrKeyFile: a key file holds no key, or cannot be read or written. Somebody has to mend it first.
var ErrKeyFile = errors.New("key file at fault")

type keyFileFault struct{ error }

func (f keyFileFault) Is(target error) bool { return target == ErrKeyFile }
func (f keyFileFault) Unwrap() error        { return f.error }

// keyFileError says what is wrong with a key file. It is an ErrKeyFile.
func keyFileError(format string, args ...any) error { return keyFileFault{fmt.Errorf(format, args...)} }

// RootKey recognises the root key. The zero value matches nothing.
type RootKey struct {
	hash  [32]byte
	given bool
}

// NewRootKey recognises the key, as LoadOrCreateRootKey returns it.
func NewRootKey(key string) RootKey { return RootKey{hash: Hash(key), given: key != ""} }

// Matches reports whether key is the root key, in a time that does not tell how much of it is right.
func (k RootKey) Matches(key []byte) bool {
	if len(key) > MaxKeyBytes {
		return false
	}
	hash := sha256.Sum256(key)
	return k.given && subtle.ConstantTimeCompare(hash[:], k.hash[:]) == 1
}

// LoadOrCreateRootKey reads the root key from the file. Without the file it makes a key and writes it there, readable by its owner only.
func LoadOrCreateRootKey(path string) (key string, created bool, err error) {
	key, created, err = loadOrCreate(path, func() string {
		key, _, _ := NewKey(Root)
		return key
	})
	if err != nil {
		return "", false, keyFileError("root key: %w", err)
	}
	if len(key) < minRootKeyChars || len(key) > MaxKeyBytes || strings.ContainsAny(key, " \t\r\n") {
		return "", false, keyFileError("root key: %s must hold one key of %d to %d characters", path, minRootKeyChars, MaxKeyBytes)
	}
	return key, created, nil
}

// LoadOrCreateSecretKey reads the key that secrets are sealed under. Without the file it makes one and writes it there,
// readable by its owner only. Who loses the file loses all JWT secrets: it belongs into the backup, apart from the data.
func LoadOrCreateSecretKey(path string) (key [32]byte, created bool, err error) {
	text, created, err := loadOrCreate(path, func() string {
		rand.Read(key[:]) // never fails: the runtime ends the process when the system has no randomness
		return base64.StdEncoding.EncodeToString(key[:])
	})
	if err != nil {
		return [32]byte{}, false, keyFileError("secret key: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != len(key) {
		return [32]byte{}, false, keyFileError("secret key: %s must hold 32 bytes in base64", path)
	}
	return [32]byte(raw), created, nil
}

// loadOrCreate returns the file's text without surrounding blanks, or writes what generate returns.
func loadOrCreate(path string, generate func() string) (text string, created bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = generate()
		return text, true, writeSecret(path, text+"\n")
	case err != nil:
		return "", false, err
	case info.Size() > maxKeyFileBytes:
		return "", false, fmt.Errorf("%s is too large for a key", path)
	}
	raw, err := os.ReadFile(path)
	return strings.TrimSpace(string(raw)), false, err
}

// writeSecret writes the file whole or not at all: a key cut short by a crash would lock its owner out.
func writeSecret(path, text string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // is gone already when all went well
	_, err = tmp.WriteString(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
