package changejson

import (
	"bytes"
	"encoding/json"
	"errors"

	"eligibility/internal/hlc"
)

// errUpdated: there is no stamp where it should be.
var errUpdated = errors.New(`no member "updated" at the top of the value`)

// updated is the commit time of a row: the member "updated" at the top level of its value.
//
// It stands at the end, behind an image of the row that may have hundreds of kilobytes and members of the same name. So the value is read backwards,
// from its last byte, over members whose values are plain; only what does not look like that is decoded as a whole.
func updated(value []byte) (hlc.Timestamp, error) {
	text, ok := lastly(value)
	if !ok {
		text, ok = decoded(value)
	}
	if !ok {
		return hlc.Timestamp{}, errUpdated
	}
	return hlc.Parse(text)
}

// lastly finds the value of the last top-level member "updated" of an object, if it is a string without escapes and only members with plain values
// follow. Of a valid object it never finds anything else: from the end, a quote without a backslash before it always ends or begins a string.
func lastly(value []byte) ([]byte, bool) {
	rest, ok := dropLast(value, '}')
	for ok {
		var plain []byte
		if plain, rest, ok = plainBefore(rest); !ok {
			return nil, false
		}
		if rest, ok = dropLast(rest, ':'); !ok {
			return nil, false
		}
		var name []byte
		if name, rest, ok = plainBefore(rest); !ok || !quoted(name) {
			return nil, false
		}
		if string(name) == `"updated"` {
			if !quoted(plain) {
				return nil, false
			}
			return plain[1 : len(plain)-1], true
		}
		rest, ok = dropLast(rest, ',')
	}
	return nil, false
}

func quoted(token []byte) bool { return len(token) >= 2 && token[0] == '"' }

// space is what JSON allows between tokens.
const space = " \t\r\n"

// dropLast takes the character off the end, and white space around it.
func dropLast(text []byte, last byte) ([]byte, bool) {
	text = bytes.TrimRight(text, space)
	if len(text) == 0 || text[len(text)-1] != last {
		return nil, false
	}
	return bytes.TrimRight(text[:len(text)-1], space), true
}

// plainBefore cuts the string, number or word off that text ends with. Strings with escapes, objects and arrays are not plain.
func plainBefore(text []byte) (plain, rest []byte, ok bool) {
	end := len(text)
	if end == 0 {
		return nil, nil, false
	}
	if text[end-1] == '"' {
		begin := bytes.LastIndexByte(text[:end-1], '"')
		if begin < 0 || bytes.IndexByte(text[begin:], '\\') >= 0 || begin > 0 && text[begin-1] == '\\' {
			return nil, nil, false
		}
		return text[begin:], bytes.TrimRight(text[:begin], space), true
	}
	begin := end
	for begin > 0 && wordByte(text[begin-1]) {
		begin--
	}
	return text[begin:], bytes.TrimRight(text[:begin], space), begin < end
}

// wordByte reports whether b may stand in a number, true, false or null.
func wordByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b == 'E' || b == '+' || b == '-' || b == '.'
}

// decoded finds the same by decoding everything, the slow way.
func decoded(value []byte) ([]byte, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		return nil, false
	}
	var text string
	raw, there := members["updated"]
	if !there || len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return nil, false
	}
	return []byte(text), true
}
