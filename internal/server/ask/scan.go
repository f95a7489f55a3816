package ask

import (
	"math"
	"unicode/utf8"
)

// scanner reads the plain part of JSON without allocating: strings without escapes, integers, true and false. What it
// cannot read it does not judge: its methods return false, and the strict decoder then reads the whole body and explains.
// So it may refuse anything, but must never accept what the strict decoder refuses, nor read it differently; a fuzz test
// holds it to that.
type scanner struct {
	data []byte
	pos  int
}

// next skips blanks and returns the next byte without taking it; 0 at the end.
func (s *scanner) next() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// take skips blanks and takes the byte c.
func (s *scanner) take(c byte) bool {
	if s.next() != c || s.pos >= len(s.data) {
		return false
	}
	s.pos++
	return true
}

// ended reports whether nothing but blanks is left.
func (s *scanner) ended() bool {
	s.next()
	return s.pos == len(s.data)
}

// str takes a string and returns its bytes, which are part of data.
func (s *scanner) str() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	from, ascii := s.pos, true
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			value := s.data[from:s.pos]
			s.pos++
			return value, ascii || utf8.Valid(value)
		case c == '\\' || c < ' ':
			return nil, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return nil, false
}

// number takes a JSON number and returns its text.
func (s *scanner) number() ([]byte, bool) {
	c := s.next()
	from := s.pos
	if c == '-' {
		s.pos++
	}
	whole := s.digits()
	if whole == 0 || whole > 1 && s.data[s.pos-whole] == '0' {
		return nil, false
	}
	if s.pos < len(s.data) && s.data[s.pos] == '.' {
		s.pos++
		if s.digits() == 0 {
			return nil, false
		}
	}
	if s.pos < len(s.data) && (s.data[s.pos] == 'e' || s.data[s.pos] == 'E') {
		s.pos++
		if s.pos < len(s.data) && (s.data[s.pos] == '+' || s.data[s.pos] == '-') {
			s.pos++
		}
		if s.digits() == 0 {
			return nil, false
		}
	}
	return s.data[from:s.pos], true
}

// digits takes decimal digits and returns how many.
func (s *scanner) digits() int {
	from := s.pos
	for s.pos < len(s.data) && s.data[s.pos] >= '0' && s.data[s.pos] <= '9' {
		s.pos++
	}
	return s.pos - from
}

// integer takes a number that is written as a whole one and lies within the bounds.
func (s *scanner) integer(low, high int64) (int64, bool) {
	raw, ok := s.number()
	if !ok {
		return 0, false
	}
	n, ok := parseInteger(raw)
	return n, ok && n >= low && n <= high
}

// boolean takes true or false.
func (s *scanner) boolean() (value, ok bool) {
	s.next()
	if rest := s.data[s.pos:]; len(rest) >= 4 && string(rest[:4]) == "true" {
		s.pos += 4
		return true, true
	} else if len(rest) >= 5 && string(rest[:5]) == "false" {
		s.pos += 5
		return false, true
	}
	return false, false
}

// parseInteger reads an optional minus and digits; false for any other text and beyond int64.
func parseInteger(raw []byte) (int64, bool) {
	digits, negative := raw, false
	if len(raw) > 0 && raw[0] == '-' {
		digits, negative = raw[1:], true
	}
	if len(digits) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' || n > (math.MaxInt64-9)/10 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if negative {
		return -int64(n), true
	}
	return int64(n), true
}
