package profile

import "math"

// Most properties of events are flat objects of plain values, and a user has dozens of them: reading these without a tree takes a third of the time. What is not so
// plain, JSON or not, is left to the parser.

// plain reads an object and notes its properties in the record. It is false for what it does not read, and the record is then as it was.
func (b *Builder) plain(typ *EventType, object []byte, record []uint64) bool {
	s := scanner{data: object}
	if !s.skip('{') {
		return false
	}
	seen, guess := uint64(0), 0
	for first := true; ; first = false {
		if first && s.skip('}') {
			break
		}
		name, ok := s.text()
		if !ok || !s.skip(':') {
			return b.unread(record)
		}
		kind, property := Kind(0), (*Property)(nil)
		if at := place(typ.Properties, name, guess); at >= 0 {
			guess = at + 1
			if property = &typ.Properties[at]; seen>>property.Slot&1 == 0 { // of a repeated name the first counts
				seen |= 1 << property.Slot
				kind = property.Type.Kind
			}
		}
		bits, fits, ok := b.plainValue(&s, kind)
		if !ok {
			return b.unread(record)
		}
		if fits {
			record[0] |= 1 << property.Slot
			record[1+property.Slot] = bits
		}
		if s.skip(',') {
			continue
		}
		if s.skip('}') {
			break
		}
		return b.unread(record)
	}
	if s.space(); s.at < len(s.data) {
		return b.unread(record)
	}
	return true
}

func (b *Builder) unread(record []uint64) bool {
	clear(record)
	return false
}

// place is where the property of the name is: that of the guess, if objects have their members in one order.
func place(properties []Property, name []byte, guess int) int {
	for i := range properties {
		if at := (guess + i) % len(properties); properties[at].Name == string(name) {
			return at
		}
	}
	return -1
}

// plainValue reads the next value. fits says that it is one of the kind, 0 being none; ok that it is plain.
func (b *Builder) plainValue(s *scanner, kind Kind) (bits uint64, fits, ok bool) {
	switch s.space(); s.peek() {
	case '"':
		text, ok := s.text()
		switch {
		case !ok:
		case kind == String:
			return b.told.keep(text), true, true
		case kind == Timestamp:
			n, fits := parseInstant(text)
			return uint64(n), fits, true
		}
		return 0, false, ok
	case 't':
		return 1, kind == Bool, s.word("true")
	case 'f':
		return 0, kind == Bool, s.word("false")
	case 'n':
		return 0, false, s.word("null")
	}
	digits, places, negative, ok := s.number()
	switch {
	case !ok:
	case kind == Int:
		ok = places == 0
		n := int64(digits)
		if negative {
			n = -n
		}
		return uint64(n), ok, ok
	case kind == Double:
		f := float64(digits) / powers[places]
		if negative {
			f = -f
		}
		return math.Float64bits(f), true, true
	}
	return 0, false, ok
}

// A number of at most plainDigits digits is exact as a double, and so is each of powers: dividing them gives the double that is nearest to the decimal.
const plainDigits = 15

var powers = [plainDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// scanner reads JSON from front to back.
type scanner struct {
	data []byte
	at   int
}

// space passes over white space.
func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// skip passes over white space and c, if that is next.
func (s *scanner) skip(c byte) bool {
	if s.peek() != c {
		if s.space(); s.peek() != c {
			return false
		}
	}
	s.at++
	return true
}

// text reads a string without escapes.
func (s *scanner) text() (text []byte, ok bool) {
	if !s.skip('"') {
		return nil, false
	}
	for i := s.at; i < len(s.data); i++ {
		switch s.data[i] {
		case '"':
			text, s.at = s.data[s.at:i], i+1
			return text, true
		case '\\':
			return nil, false
		}
	}
	return nil, false
}

func (s *scanner) word(w string) bool {
	if len(s.data)-s.at < len(w) || string(s.data[s.at:s.at+len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true
}

// number reads a number of few digits without an exponent: places of them are behind the point.
func (s *scanner) number() (digits uint64, places int, negative, ok bool) {
	if s.peek() == '-' {
		negative = true
		s.at++
	}
	from, n, point := s.at, 0, -1
	for ; s.at < len(s.data); s.at++ {
		c := s.data[s.at]
		if c == '.' && point < 0 {
			point = s.at
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		digits, n = 10*digits+uint64(c-'0'), n+1
	}
	whole := n
	if point >= 0 {
		whole = point - from
		if places = n - whole; places == 0 {
			return 0, 0, false, false
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' || whole == 0 || n > plainDigits || whole > 1 && s.data[from] == '0' {
		return 0, 0, false, false
	}
	return digits, places, negative, true
}
