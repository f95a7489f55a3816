package profile

import (
	"errors"
	"unicode"
	"unicode/utf8"
)

// Key names one user of one project. Two projects may both have a user "u1"; they share nothing.
type Key struct {
	Project string // [a-z0-9-]{1,64}
	User    string // at most MaxUserIDBytes of valid UTF-8 without control or invisible formatting characters
}

// Limits of the two parts of a key, in bytes.
const (
	MaxProjectBytes = 64
	MaxUserIDBytes  = 256
)

// ErrProject and ErrUserID say which part of a key is malformed.
var (
	ErrProject = errors.New("a project name is 1 to 64 characters of a-z, 0-9 and -")
	ErrUserID  = errors.New("a user id is 1 to 256 bytes of UTF-8 without control or bidirectional formatting characters")
)

// ValidProject reports whether name may name a project.
func ValidProject(name string) bool {
	if len(name) == 0 || len(name) > MaxProjectBytes {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// ValidUserID reports whether id may name a user. Control characters and the characters that reorder text are refused: ids are shown
// to people and written to logs and CSV files.
func ValidUserID[T string | []byte](id T) bool {
	if len(id) == 0 || len(id) > MaxUserIDBytes {
		return false
	}
	for i := 0; i < len(id); {
		if c := id[i]; c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(string(id[i:min(i+utf8.UTFMax, len(id))]))
		if r == utf8.RuneError && size <= 1 || unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) {
			return false
		}
		i += size
	}
	return true
}
