// Package release knows which database answers and what its release can do. What differs between releases is decided here by number, so
// that a statement which an older release refuses is never tried on it.
package release

import (
	"fmt"
	"strconv"
	"strings"
)

// Dialect is a family of databases that speak the same wire protocol.
type Dialect int

// The dialects. PostgreSQL stands in for CockroachDB in tests; nothing runs on it in production.
const (
	CockroachDB Dialect = iota + 1
	PostgreSQL
)

// String is the product's name.
func (d Dialect) String() string {
	switch d {
	case CockroachDB:
		return "CockroachDB"
	case PostgreSQL:
		return "PostgreSQL"
	}
	return "unknown database"
}

// Release is one release of a database: v22.1.9 is {CockroachDB, 22, 1, 9}, PostgreSQL 15.18 is {PostgreSQL, 15, 18, 0}.
type Release struct {
	Dialect             Dialect
	Major, Minor, Patch int
}

// Parse reads what version() answers, such as "CockroachDB CCL v22.1.9 (x86_64-pc-linux-gnu, built …)" or "PostgreSQL 15.18 on x86_64…".
func Parse(text string) (Release, error) {
	words := strings.Fields(text)
	var r Release
	var number string
	switch {
	case len(words) >= 2 && words[0] == "PostgreSQL":
		r.Dialect, number = PostgreSQL, words[1]
	case len(words) >= 2 && words[0] == "CockroachDB":
		r.Dialect = CockroachDB
		for _, word := range words[1:] { // between them stands the distribution: CCL, OSS
			if rest, ok := strings.CutPrefix(word, "v"); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
				number = rest
				break
			}
		}
	}
	parts := strings.SplitN(number, ".", 3)
	for i, into := range []*int{&r.Major, &r.Minor, &r.Patch} {
		if i >= len(parts) {
			break
		}
		digits := parts[i][:leadingDigits(parts[i])] // a pre-release has more behind: 23.1.0-beta.1, 16beta2
		n, err := strconv.Atoi(digits)
		if err != nil {
			return Release{}, fmt.Errorf("%.80q is no version of CockroachDB or PostgreSQL", text)
		}
		*into = n
	}
	if r.Major == 0 {
		return Release{}, fmt.Errorf("%.80q is no version of CockroachDB or PostgreSQL", text)
	}
	return r, nil
}

func leadingDigits(text string) int {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return i
		}
	}
	return len(text)
}

// AtLeast reports whether the release is major.minor or newer, whatever its dialect.
func (r Release) AtLeast(major, minor int) bool {
	return r.Major > major || r.Major == major && r.Minor >= minor
}

// String is the product and its number.
func (r Release) String() string {
	if r.Dialect == PostgreSQL {
		return fmt.Sprintf("%s %d.%d", r.Dialect, r.Major, r.Minor)
	}
	return fmt.Sprintf("%s v%d.%d.%d", r.Dialect, r.Major, r.Minor, r.Patch)
}
