package ask

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"

	"eligibility/internal/problem"
	"eligibility/internal/strictjson"
)

// Limits of the fast way; what is beyond them is read the strict way and judged by the caller.
const (
	MaxPlacements = 50
	MaxContext    = 64
)

// Request is the body of an eligibility request as it was sent, before anything is known about what it names. Its strings
// may be views of the body: they are good only while the body is. The zero value is ready; reuse one after Reset. Not safe
// for concurrent use.
type Request struct {
	UserID          string
	HasUser         bool
	Placements      []int32
	HasPlacements   bool // also for an empty list
	Context         []Item
	Limit           int64
	HasLimit        bool
	Explain         bool
	MinAsOf         string
	HasMinAsOf      bool // also for an empty string, which is no stamp
	MinRulesVersion uint64
}

// Item is one member of the context object.
type Item struct {
	Name string
	Kind byte   // first byte of the JSON value: '"', '0' for any number, 't', 'f', 'n', '{' or '['
	Text string // the value of a string, the digits of a number, empty for others
}

// Reset empties r and keeps its memory for the next body, but not what that memory refers to.

func (r *Request) Reset() {
	clear(r.Context)
	*r = Request{Placements: r.Placements[:0], Context: r.Context[:0]}
}

// members of the body, for the check that none stands twice.
const (
	seenUser = 1 << iota
	seenPlacements
	seenContext
	seenLimit
	seenExplain
	seenMinAsOf
	seenMinVersion
)

// Parse reads the body into r, which is empty. The fast way covers what SDKs send; everything else, faults above all, goes
// the strict way, which is the law.
func (r *Request) Parse(body []byte) *problem.Problem {
	if r.scan(body) {
		return nil
	}
	r.Reset()
	return r.decode(body)
}

// scan reads the body without allocating; false leaves the judgement to decode.
func (r *Request) scan(body []byte) bool {
	s := scanner{data: body}
	if !s.take('{') {
		return false
	}
	seen := 0
	for more := s.next() != '}'; more; {
		name, ok := s.str()
		if !ok || !s.take(':') {
			return false
		}
		member := 0
		switch string(name) {
		case "userId":
			member, r.HasUser = seenUser, true
			var id []byte
			id, ok = s.str()
			r.UserID = text(id)
		case "placements":
			member, r.HasPlacements = seenPlacements, true
			ok = r.scanPlacements(&s)
		case "context":
			member = seenContext
			ok = r.scanContext(&s)
		case "limit":
			member, r.HasLimit = seenLimit, true
			r.Limit, ok = s.integer(math.MinInt32, math.MaxInt32)
		case "explain":
			member = seenExplain
			r.Explain, ok = s.boolean()
		case "minAsOf":
			member, r.HasMinAsOf = seenMinAsOf, true
			var stamp []byte
			stamp, ok = s.str()
			r.MinAsOf = text(stamp)
		case "minRulesVersion":
			member = seenMinVersion
			var version int64
			version, ok = s.integer(0, math.MaxInt64)
			r.MinRulesVersion = uint64(version)
		}
		if !ok || member == 0 || seen&member != 0 {
			return false
		}
		seen |= member
		if more = s.take(','); !more && s.next() != '}' {
			return false
		}
	}
	return s.take('}') && s.ended()
}

func (r *Request) scanPlacements(s *scanner) bool {
	if !s.take('[') {
		return false
	}
	if s.take(']') {
		return true
	}
	for {
		id, ok := s.integer(math.MinInt32, math.MaxInt32)
		if !ok || len(r.Placements) > MaxPlacements {
			return false
		}
		r.Placements = append(r.Placements, int32(id))
		if !s.take(',') {
			return s.take(']')
		}
	}
}

func (r *Request) scanContext(s *scanner) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.str()
		if !ok || !s.take(':') || len(r.Context) > MaxContext {
			return false
		}
		for i := range r.Context {
			if r.Context[i].Name == string(name) {
				return false
			}
		}
		item := Item{Name: text(name), Kind: s.next()}
		var value []byte
		switch item.Kind {
		case '"':
			value, ok = s.str()
		case 't', 'f':
			_, ok = s.boolean()
		default:
			item.Kind = '0'
			value, ok = s.number()
		}
		if !ok {
			return false
		}
		item.Text = text(value)
		r.Context = append(r.Context, item)
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// strictBody is the body as the strict decoder reads it.
type strictBody struct {
	UserID          *string                    `json:"userId"`
	Placements      []*int32                   `json:"placements"` // pointers tell null from 0
	Context         map[string]json.RawMessage `json:"context"`
	Limit           *int32                     `json:"limit"`
	Explain         bool                       `json:"explain"`
	MinAsOf         *string                    `json:"minAsOf"`
	MinRulesVersion uint64                     `json:"minRulesVersion"`
}

func (r *Request) decode(body []byte) *problem.Problem {
	var b strictBody
	if err := strictjson.Unmarshal(body, &b); err != nil {
		return strictjson.Explain(err)
	}
	if b.UserID != nil {
		r.UserID, r.HasUser = *b.UserID, true
	}
	r.HasPlacements = b.Placements != nil
	for i, id := range b.Placements {
		if id == nil {
			return problem.New("wrong_type", "want integer, got null").At("placements[" + strconv.Itoa(i) + "]")
		}
		r.Placements = append(r.Placements, *id)
	}
	if b.Limit != nil {
		r.Limit, r.HasLimit = int64(*b.Limit), true
	}
	if b.MinAsOf != nil {
		r.MinAsOf, r.HasMinAsOf = *b.MinAsOf, true
	}
	r.Explain, r.MinRulesVersion = b.Explain, b.MinRulesVersion
	for _, name := range slices.Sorted(maps.Keys(b.Context)) {
		r.Context = append(r.Context, newItem(name, b.Context[name]))
	}
	return nil
}

// newItem reads a value that the strict decoder found to be valid JSON.
func newItem(name string, raw json.RawMessage) Item {
	item := Item{Name: name, Kind: raw[0]}
	switch {
	case item.Kind == '"':
		_ = json.Unmarshal(raw, &item.Text) // cannot fail: it is a valid string
	case item.Kind == '-' || item.Kind >= '0' && item.Kind <= '9':
		item.Kind, item.Text = '0', string(raw)
	}
	return item
}
