package framing

import (
	"bytes"
	"strconv"
)

// part is where in a request a scanner is.
type part uint8

const (
	startLine part = iota
	headerName
	headerValue
	lineFeed // behind a CR
	body     // left bytes of it
	chunkSize
	chunkEnd // CR LF behind a chunk
)

const (
	maxLength     = 18 // digits of a body's length: an int64 holds them
	maxChunkDigit = 15 // hexadecimal ones of a chunk's length
	maxKept       = 64 // bytes kept of a line: what decides about framing is shorter
)

// scanner follows requests byte by byte. The zero value is at the beginning of one.
type scanner struct {
	at    part
	after part // what the line that ends was: startLine, headerName of an empty line, headerValue, chunkSize, chunkEnd
	name  []byte
	value []byte // of the header or chunk size; cut at maxKept
	long  bool   // value was cut
	left  int64  // of the body or chunk

	length  int64 // announced; -1: not
	coded   bool
	ending  bool // the last chunk was read
	words   int  // of the start line
	inWord  int  // bytes of its present word
	version []byte
}

// scan follows b. When a request is at fault, ok is false and good is how many bytes of b belong to the requests before it.
func (s *scanner) scan(b []byte) (good int, ok bool) {
	for i := 0; i < len(b); {
		if s.at == body {
			n := min(s.left, int64(len(b)-i))
			s.left -= n
			if i += int(n); s.left == 0 {
				s.ended()
			}
			continue
		}
		if s.fresh() {
			good = i
			s.begin()
		}
		if !s.step(b[i]) {
			return good, false
		}
		i++
	}
	return good, true
}

// fresh reports whether the next byte begins a request.
func (s *scanner) fresh() bool { return s.at == startLine && s.words == 0 && s.inWord == 0 }

func (s *scanner) begin() {
	s.length, s.coded, s.ending = -1, false, false
	s.version = s.version[:0]
}

// ended goes on behind a body or chunk that was read whole.
func (s *scanner) ended() {
	if s.coded {
		s.at, s.after = chunkEnd, chunkEnd
		return
	}
	s.next()
}

// next goes on with another request.
func (s *scanner) next() { s.at, s.words, s.inWord = startLine, 0, 0 }

// step takes one byte that is not of a body.
func (s *scanner) step(c byte) bool {
	switch s.at {
	case lineFeed:
		return c == '\n' && s.line()
	case startLine:
		return s.start(c)
	case headerName:
		return s.header(c)
	case headerValue:
		return s.text(c)
	case chunkSize:
		return s.size(c)
	case chunkEnd:
		s.at = lineFeed
		return c == '\r'
	}
	return false
}

// start takes a byte of "METHOD /target HTTP/1.x": three words, one blank between them, the second a path.
func (s *scanner) start(c byte) bool {
	switch {
	case c == ' ':
		if s.inWord == 0 || s.words == 2 {
			return false
		}
		s.words, s.inWord = s.words+1, 0
		return true
	case c == '\r':
		s.at, s.after = lineFeed, startLine
		return s.words == 2 && (string(s.version) == "HTTP/1.1" || string(s.version) == "HTTP/1.0")
	case s.words == 0 && !token(c), s.words == 1 && s.inWord == 0 && c != '/', c <= ' ' || c == 0x7f:
		return false
	case s.words == 2:
		if len(s.version) == len("HTTP/1.1") {
			return false
		}
		s.version = append(s.version, c)
	}
	s.inWord++
	return true
}

// header takes a byte of a header's name. A line that begins with a blank would continue the one before.
func (s *scanner) header(c byte) bool {
	switch {
	case c == '\r':
		s.at, s.after = lineFeed, headerName
		return len(s.name) == 0
	case c == ':':
		s.at, s.value, s.long = headerValue, s.value[:0], false
		return len(s.name) > 0
	case !token(c):
		return false
	}
	if len(s.name) < maxKept {
		s.name = append(s.name, c|0x20) // letters become small; what else changes is in no name that matters
	}
	return true
}

// text takes a byte of a header's value.
func (s *scanner) text(c byte) bool {
	switch {
	case c == '\r':
		s.at, s.after = lineFeed, headerValue
		return true
	case c < ' ' && c != '\t' || c == 0x7f:
		return false
	}
	s.keep(c)
	return true
}

// size takes a byte of a chunk's length. Extensions are not taken: nobody needs them but to hide something in.
func (s *scanner) size(c byte) bool {
	if c == '\r' {
		s.at, s.after = lineFeed, chunkSize
		return len(s.value) > 0
	}
	s.keep(c)
	return (c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') && len(s.value) <= maxChunkDigit
}

func (s *scanner) keep(c byte) {
	if len(s.value) == maxKept {
		s.long = true
		return
	}
	s.value = append(s.value, c)
}

// line ends one.
func (s *scanner) line() bool {
	switch s.after {
	case startLine:
		s.at, s.name = headerName, s.name[:0]
		return true
	case headerValue:
		s.at = headerName
		ok := s.field()
		s.name = s.name[:0]
		return ok
	case headerName:
		return s.head()
	case chunkSize:
		n, err := strconv.ParseInt(string(s.value), 16, 64)
		if s.value = s.value[:0]; n == 0 {
			s.at, s.after, s.ending = chunkEnd, chunkEnd, true
			return err == nil
		}
		s.at, s.left = body, n
		return err == nil
	case chunkEnd:
		if s.ending { // no trailer: the body is over
			s.next()
			return true
		}
		s.at, s.value = chunkSize, s.value[:0]
		return true
	}
	return false
}

// field looks at a header that says where the body ends. Each may stand once, and not both.
func (s *scanner) field() bool {
	value := bytes.Trim(s.value, " \t")
	switch string(s.name) {
	case "content-length":
		n, err := strconv.ParseUint(string(value), 10, 63) // refuses a sign
		if s.long || err != nil || len(value) > maxLength || s.length >= 0 || s.coded {
			return false
		}
		s.length = int64(n)
	case "transfer-encoding":
		if s.long || !bytes.EqualFold(value, []byte("chunked")) || s.length >= 0 || s.coded {
			return false
		}
		s.coded = true
	}
	return true
}

// head ends a header.
func (s *scanner) head() bool {
	switch {
	case s.coded:
		s.at, s.value, s.long = chunkSize, s.value[:0], false
		return string(s.version) == "HTTP/1.1"
	case s.length > 0:
		s.at, s.left = body, s.length
	default:
		s.next()
	}
	return true
}

// token reports whether c may stand in a method or a header's name (RFC 9110, 5.6.2).
func token(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		return true
	}
	return bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), c) >= 0
}
