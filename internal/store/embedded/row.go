package embedded

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"eligibility/internal/profile"

	"github.com/go-json-experiment/json/jsontext"
)

// row is a stored profile. Attributes are kept as the JSON object that callers wrote, by name, so that what is declared only later is
// there.
type row struct {
	email, zone string
	consent     []consent // by ascending channel
	attributes  []byte    // a JSON object
}

type consent struct {
	channel string
	given   bool
}

var (
	errRow   = errors.New("malformed profile row")
	errValue = errors.New("not a JSON value")
)

// rowVersion begins every encoded row.
const rowVersion = 1

// encode appends the row: version, e-mail, time zone, consents, and the attributes as the rest.
func (r *row) encode(dst []byte) []byte {
	dst = append(dst, rowVersion)
	dst = appendSized(dst, r.email)
	dst = appendSized(dst, r.zone)
	dst = binary.AppendUvarint(dst, uint64(len(r.consent)))
	for _, c := range r.consent {
		dst = appendSized(dst, c.channel)
		if c.given {
			dst = append(dst, 1)
		} else {
			dst = append(dst, 0)
		}
	}
	return append(dst, r.attributes...)
}

// decode reads an encoded row. The attributes share data's memory.
func (r *row) decode(data []byte) error {
	if len(data) == 0 || data[0] != rowVersion {
		return errRow
	}
	var ok bool
	rest := data[1:]
	text := func() (s string) {
		var raw []byte
		if ok {
			raw, rest, ok = cutSized(rest)
		}
		return string(raw)
	}
	ok = true
	r.email, r.zone = text(), text()
	n, size := binary.Uvarint(rest)
	if !ok || size <= 0 || n > uint64(len(rest)) {
		return errRow
	}
	rest = rest[size:]
	r.consent = r.consent[:0]
	for range n {
		channel := text()
		if !ok || len(rest) == 0 {
			return errRow
		}
		r.consent = append(r.consent, consent{channel: channel, given: rest[0] == 1})
		rest = rest[1:]
	}
	r.attributes = rest
	return nil
}

// merge applies an update to the row; its memory is then its own. The e-mail must already be in lower case.
func (r *row) merge(u *profile.Update, email *string) error {
	if email != nil {
		r.email = *email
	}
	if u.TimeZone != nil {
		r.zone = *u.TimeZone
	}
	r.consent = mergeConsent(r.consent, u.Consent)
	merged, err := mergeAttributes(r.attributes, u.Attributes)
	r.attributes = merged
	return err
}

func mergeConsent(old []consent, update map[string]*bool) []consent {
	next := slices.Clone(old)
	for channel, given := range update {
		i, found := slices.BinarySearchFunc(next, channel, func(c consent, name string) int { return strings.Compare(c.channel, name) })
		switch {
		case given == nil && found:
			next = slices.Delete(next, i, i+1)
		case given == nil:
		case found:
			next[i].given = *given
		default:
			next = slices.Insert(next, i, consent{channel: channel, given: *given})
		}
	}
	return next
}

// member is one top-level member of a JSON object, its value without white space.
type member struct {
	name  string
	value []byte
}

// mergeAttributes returns the JSON object old with the members of update put in or, where null, taken out. An old value that is no
// object counts as an empty one: the update repairs it.
func mergeAttributes(old []byte, update map[string]json.RawMessage) ([]byte, error) {
	if len(update) == 0 {
		if len(old) == 0 {
			return []byte("{}"), nil
		}
		return bytes.Clone(old), nil
	}
	fresh := make([]member, 0, len(update))
	for name, raw := range update {
		value := jsontext.Value(bytes.Clone(raw))
		if !value.IsValid() { // Compact alone lets duplicate names and bad UTF-8 pass
			return nil, errValue
		}
		if err := value.Compact(); err != nil {
			return nil, err
		}
		fresh = append(fresh, member{name: name, value: value})
	}
	slices.SortFunc(fresh, byName)
	kept, err := members(old)
	if err != nil {
		kept = nil
	}
	size := len(old) + 2
	for i := range fresh {
		size += len(fresh[i].name) + len(fresh[i].value) + 4
	}
	out := append(make([]byte, 0, size), '{')
	for len(kept) > 0 || len(fresh) > 0 {
		var next member
		switch order := leading(kept, fresh); {
		case order < 0:
			next, kept = kept[0], kept[1:]
		default:
			next, fresh = fresh[0], fresh[1:]
			if order == 0 {
				kept = kept[1:]
			}
			if string(next.value) == "null" {
				continue
			}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		if out, err = jsontext.AppendQuote(out, next.name); err != nil {
			return nil, err
		}
		out = append(append(out, ':'), next.value...)
	}
	return append(out, '}'), nil
}

// leading compares the first members of two lists; an empty list comes last.
func leading(a, b []member) int {
	switch {
	case len(b) == 0:
		return -1
	case len(a) == 0:
		return 1
	}
	return cmp.Compare(a[0].name, b[0].name)
}

func byName(a, b member) int { return cmp.Compare(a.name, b.name) }

// members lists the members of a JSON object by ascending name; of a repeated name the last counts. The values share object's memory.
func members(object []byte) ([]member, error) {
	if len(object) == 0 || string(object) == "{}" {
		return nil, nil
	}
	var list []member
	decoder := jsontext.NewDecoder(bytes.NewBuffer(object), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	begin, err := decoder.ReadToken()
	if err != nil || begin.Kind() != '{' {
		return nil, errRow
	}
	sorted := true
	for decoder.PeekKind() != '}' {
		token, err := decoder.ReadToken()
		if err != nil {
			return nil, errRow
		}
		name := token.String()
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, errRow
		}
		end := decoder.InputOffset()
		sorted = sorted && (len(list) == 0 || list[len(list)-1].name < name)
		list = append(list, member{name: name, value: object[end-int64(len(value)) : end]})
	}
	if sorted { // as this package writes them
		return list, nil
	}
	slices.Reverse(list)
	slices.SortStableFunc(list, byName)
	return slices.CompactFunc(list, func(a, b member) bool { return a.name == b.name }), nil
}

// appendSized appends s after its length.
func appendSized[T string | []byte](dst []byte, s T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// cutSized splits what appendSized wrote off the front of data.
func cutSized(data []byte) (s, rest []byte, ok bool) {
	n, size := binary.Uvarint(data)
	if size <= 0 || n > uint64(len(data)-size) {
		return nil, nil, false
	}
	return data[size : size+int(n)], data[size+int(n):], true
}
