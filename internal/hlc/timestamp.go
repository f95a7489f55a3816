package hlc

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Timestamp is a database time: wall nanoseconds since the Unix epoch and a logical counter that orders what happened
// within one nanosecond. The zero value sorts before every real stamp.
type Timestamp struct {
	Wall    int64  // nanoseconds since 1970-01-01T00:00:00Z, never negative
	Logical uint32 // at most MaxLogical
}

// MaxLogical is the greatest logical counter that CockroachDB prints (it keeps the counter in an int32).
const MaxLogical = math.MaxInt32

// logicalDigits is the fixed width in which CockroachDB prints the logical part.
const logicalDigits = 10

// ErrSyntax is returned by Parse for a text that is no timestamp.
var ErrSyntax = errors.New("not a timestamp of the form <wall nanoseconds>.<10-digit logical>")

// FromTime is the stamp of a wall time, with no logical part. Times before 1970 give the zero stamp.
func FromTime(t time.Time) Timestamp {
	return Timestamp{Wall: max(t.UnixNano(), 0)}
}

// Compare returns -1, 0 or +1 as t sorts before, with or after u.
func (t Timestamp) Compare(u Timestamp) int {
	switch {
	case t.Wall < u.Wall:
		return -1
	case t.Wall > u.Wall:
		return 1
	case t.Logical < u.Logical:
		return -1
	case t.Logical > u.Logical:
		return 1
	}
	return 0
}

// Before reports whether t sorts before u.
func (t Timestamp) Before(u Timestamp) bool { return t.Compare(u) < 0 }

// After reports whether t sorts after u.
func (t Timestamp) After(u Timestamp) bool { return t.Compare(u) > 0 }

// IsZero reports whether t is the zero stamp, which stands for "none yet".
func (t Timestamp) IsZero() bool { return t == Timestamp{} }

// Add moves the wall part by d and keeps the logical part. The result never goes below zero.
func (t Timestamp) Add(d time.Duration) Timestamp {
	return Timestamp{Wall: max(t.Wall+int64(d), 0), Logical: t.Logical}
}

// Sub is the wall time from u to t; the logical parts do not count.
func (t Timestamp) Sub(u Timestamp) time.Duration { return time.Duration(t.Wall - u.Wall) }

// Next is the smallest stamp after t.
func (t Timestamp) Next() Timestamp {
	if t.Logical < MaxLogical {
		return Timestamp{Wall: t.Wall, Logical: t.Logical + 1}
	}
	return Timestamp{Wall: t.Wall + 1}
}

// CeilWall is the smallest whole nanosecond that is not before t: what a bound kept in 64 bits must be rounded to so that it never
// promises less than t.
func (t Timestamp) CeilWall() int64 {
	if t.Logical > 0 {
		return t.Wall + 1
	}
	return t.Wall
}

// Time is the wall part as a time in UTC.
func (t Timestamp) Time() time.Time { return time.Unix(0, t.Wall).UTC() }

// Max is the later of t and u.
func Max(t, u Timestamp) Timestamp {
	if t.Before(u) {
		return u
	}
	return t
}

// Min is the earlier of t and u.
func Min(t, u Timestamp) Timestamp {
	if u.Before(t) {
		return u
	}
	return t
}

// String prints t as CockroachDB does: "1795376411571640292.0000000000".
func (t Timestamp) String() string { return string(t.AppendText(nil)) }

// AppendText appends String to dst without further allocation.
func (t Timestamp) AppendText(dst []byte) []byte {
	dst = strconv.AppendInt(dst, t.Wall, 10)
	dst = append(dst, '.')
	width := 1
	for n := t.Logical; n >= 10; n /= 10 {
		width++
	}
	for ; width < logicalDigits; width++ {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, uint64(t.Logical), 10)
}

// Parse reads what String prints. The logical part may be absent ("1700000000000000000"). Signs, blanks, fractions of other widths,
// walls beyond int64 and logicals beyond MaxLogical are refused with ErrSyntax.
func Parse[T string | []byte](text T) (Timestamp, error) {
	wall, rest, ok := digits(text, math.MaxInt64)
	if !ok {
		return Timestamp{}, fmt.Errorf("%w: %.40q", ErrSyntax, text)
	}
	if len(rest) == 0 {
		return Timestamp{Wall: int64(wall)}, nil
	}
	if rest[0] != '.' || len(rest) != 1+logicalDigits {
		return Timestamp{}, fmt.Errorf("%w: %.40q", ErrSyntax, text)
	}
	logical, rest, ok := digits(rest[1:], MaxLogical)
	if !ok || len(rest) != 0 {
		return Timestamp{}, fmt.Errorf("%w: %.40q", ErrSyntax, text)
	}
	return Timestamp{Wall: int64(wall), Logical: uint32(logical)}, nil
}

// digits reads the leading decimal digits of text, at least one, as a number of at most limit.
func digits[T string | []byte](text T, limit uint64) (n uint64, rest T, ok bool) {
	i := 0
	for ; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		d := uint64(text[i] - '0')
		if n > (limit-d)/10 {
			return 0, text, false
		}
		n = n*10 + d
	}
	return n, text[i:], i > 0
}

// MarshalText makes a stamp a JSON string.
func (t Timestamp) MarshalText() ([]byte, error) { return t.AppendText(nil), nil }

// UnmarshalText is the inverse of MarshalText.
func (t *Timestamp) UnmarshalText(text []byte) error {
	parsed, err := Parse(text)
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}
