package server

import (
	"encoding/binary"
	"time"

	"eligibility/internal/cache"
	"eligibility/internal/engine"
	"eligibility/internal/rules"
)

// MemoBytes is what the answers kept beside one cached snapshot may take: the cache's allowance must be set to it.
const MemoBytes = cache.MemoSlots * maxReusableBytes

const (
	maxReusableBytes = 512
	// minHorizon keeps out answers that end before they are likely to be asked for again.
	minHorizon = 100 * time.Millisecond
)

// reusable is an answer that was computed from one snapshot and everything that its reuse depends on besides the snapshot
// (law L5). It is immutable.
type reusable struct {
	rs          *rules.Ruleset
	from, until int64 // wall nanoseconds: holds for a now in [from, until)
	class       string
	form        form
	tag         weakTag // of the placements as they are written
	parts       []part
}

// form is in whose words an answer is written.
type form uint8

const (
	formOwn form = iota
	formSDK
)

// part is one placement of an answer.
type part struct {
	id       int32
	messages []*rules.Candidate // of the ruleset
}

// appendClass appends what tells requests of one ruleset apart, time and user left out: the placements in their order, the
// limit and what the rules ask of the context.
func appendClass(dst []byte, rs *rules.Ruleset, req *engine.Request) []byte {
	dst = binary.AppendUvarint(dst, uint64(req.Limit))
	if req.Placements == nil {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(req.Placements))+1)
	}
	for _, id := range req.Placements {
		dst = binary.AppendVarint(dst, int64(id))
	}
	return rs.AppendRequestClass(dst, req.Context)
}

// appendClass appends the class of a request whose answer is written in the form. No limit is written as the byte that leads those of SDKs.
func (f form) appendClass(dst []byte, rs *rules.Ruleset, req *engine.Request) []byte {
	const sdk = 0xff
	if f == formSDK {
		dst = append(dst, sdk)
	}
	return appendClass(dst, rs, req)
}

// recall finds a kept answer that holds for the class at now.
func recall(memo *cache.Memo, rs *rules.Ruleset, class []byte, now int64) (*reusable, bool) {
	for i := range cache.MemoSlots {
		r, ok := memo.Load(i).(*reusable)
		if ok && r.rs == rs && now >= r.from && now < r.until && r.class == string(class) {
			return r, true
		}
	}
	return nil, false
}

// remember keeps a decision made at now if there is a place for it: an empty one or one whose answer is over. What still
// holds is not pushed out, so that requests that never come twice cost one comparison each and no memory.
func remember(memo *cache.Memo, rs *rules.Ruleset, class []byte, now int64, d *engine.Decision, f form, t weakTag) {
	if d.ValidUntil-now < int64(minHorizon) {
		return
	}
	for i := range cache.MemoSlots {
		old, ok := memo.Load(i).(*reusable)
		if ok && old.rs == rs && now < old.until {
			continue
		}
		if r := newReusable(rs, class, now, d, f, t); r != nil {
			memo.Store(i, r)
		}
		return
	}
}

// newReusable copies what belongs to the request. It returns nil when the answer is larger than the allowance.
func newReusable(rs *rules.Ruleset, class []byte, now int64, d *engine.Decision, f form, t weakTag) *reusable {
	const base, perPart, perMessage = 128, 32, 8
	messages := 0
	for i := range d.Placements {
		messages += len(d.Placements[i].Messages)
	}
	if base+len(class)+perPart*len(d.Placements)+perMessage*messages > maxReusableBytes {
		return nil
	}
	all := make([]*rules.Candidate, 0, messages)
	r := &reusable{rs: rs, from: now, until: d.ValidUntil, class: string(class), form: f, tag: t, parts: make([]part, len(d.Placements))}
	for i := range d.Placements {
		p := &d.Placements[i]
		from := len(all)
		all = append(all, p.Messages...)
		r.parts[i] = part{id: p.ID, messages: all[from:len(all):len(all)]}
	}
	return r
}

// append appends the placements of the answer.
func (r *reusable) append(dst []byte) []byte {
	for i := range r.parts {
		dst = appendPlacementHead(dst, r.form, i, r.parts[i].id)
		for j, message := range r.parts[i].messages {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, r.form.fragment(message, r.parts[i].id)...)
		}
		dst = append(dst, `]}`...)
	}
	return dst
}
