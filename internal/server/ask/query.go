package ask

import (
	"bytes"
	"strconv"

	"eligibility/internal/problem"
)

// Sync is the query of an SDK that fetches its messages. Its strings may be views of the query and of its own memory: they are good
// until Reset. The zero value is ready. Not safe for concurrent use.
type Sync struct {
	UserID, Email string // "" when absent or empty: no user has an empty name
	Platform      string
	Placements    []int32

	decoded []byte
}

// Reset empties q and keeps its memory.
func (q *Sync) Reset() { *q = Sync{Placements: q.Placements[:0], decoded: q.decoded[:0]} }

// Parse reads the query into q, which is empty. Parameters that are not known are passed over: SDKs send what they find useful, and
// shipped apps cannot be changed.
func (q *Sync) Parse(query []byte) *problem.Problem {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte("&"))
		name, raw, _ := bytes.Cut(pair, []byte("="))
		var into *string
		switch string(name) {
		case "userId":
			into = &q.UserID
		case "email":
			into = &q.Email
		case "platform":
			into = &q.Platform
		case "placementIds", "placementIds[]", "placementIds%5B%5D":
			if p := q.place(raw); p != nil {
				return p
			}
			continue
		default:
			continue
		}
		value, ok := q.decode(raw)
		if !ok || *into != "" {
			return problem.New("invalid_parameter", "it is encoded wrongly, or stands twice").At(string(name))
		}
		*into = value
	}
	return nil
}

func (q *Sync) place(raw []byte) *problem.Problem {
	text, ok := q.decode(raw)
	id, err := strconv.ParseInt(text, 10, 32)
	switch {
	case !ok || err != nil:
		return problem.New("invalid_parameter", "want a number of 32 bits").At("placementIds")
	case len(q.Placements) >= MaxPlacements:
		return problem.New("too_many", "at most %d placements", MaxPlacements).At("placementIds")
	}
	q.Placements = append(q.Placements, int32(id))
	return nil
}

// decode undoes the encoding of a form: %41 and +. What has none is taken as it stands.
func (q *Sync) decode(raw []byte) (string, bool) {
	if bytes.IndexByte(raw, '%') < 0 && bytes.IndexByte(raw, '+') < 0 {
		return text(raw), true
	}
	from := len(q.decoded)
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if i+2 >= len(raw) {
				return "", false
			}
			high, low := unhex(raw[i+1]), unhex(raw[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			c = byte(high<<4 | low)
			i += 2
		}
		q.decoded = append(q.decoded, c)
	}
	return text(q.decoded[from:]), true
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
