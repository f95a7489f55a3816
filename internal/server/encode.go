package server

import (
	"strconv"

	"eligibility/internal/engine"
	"eligibility/internal/hlc"
	"eligibility/internal/rules"
)

// appendHead begins the answer of an eligibility request; the placements follow.
func appendHead(dst []byte, user string) []byte {
	dst = append(dst, `{"userId":`...)
	dst = appendString(dst, user)
	return append(dst, `,"placements":[`...)
}

// fragment is the message as it is written in the form.
func (f form) fragment(c *rules.Candidate, placement int32) string {
	if f == formSDK {
		return c.Promotion.SDKFragment(placement)
	}
	return c.Fragment
}

// appendPlacements appends the placements of a decision.
func appendPlacements(dst []byte, f form, placements []engine.Placement) []byte {
	for i := range placements {
		p := &placements[i]
		dst = appendPlacementHead(dst, f, i, p.ID)
		for j := range p.Messages {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, f.fragment(p.Messages[j], p.ID)...)
		}
		dst = append(dst, `]}`...)
	}
	return dst
}

func appendPlacementHead(dst []byte, f form, index int, id int32) []byte {
	dst = strconv.AppendInt(appendPlacementOpening(dst, f, index), int64(id), 10)
	return append(dst, f.list()...)
}

// appendPlacementOpening begins a placement; its id follows.
func appendPlacementOpening(dst []byte, f form, index int) []byte {
	if index > 0 {
		dst = append(dst, ',')
	}
	if f == formSDK {
		return append(dst, `{"placementId":`...)
	}
	return append(dst, `{"placement":`...)
}

// list begins the messages of a placement.
func (f form) list() string {
	if f == formSDK {
		return `,"embeddedMessages":[`
	}
	return `,"messages":[`
}

// appendRejected ends the list of placements and begins that of rejections.
func appendRejected(dst []byte, rejected []engine.Rejection) []byte {
	dst = append(dst, `],"rejected":[`...)
	for i := range rejected {
		r := &rejected[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"promotion":`...)
		dst = appendString(dst, r.Promotion)
		dst = append(dst, `,"placement":`...)
		dst = strconv.AppendInt(dst, int64(r.Placement), 10)
		dst = append(dst, `,"reason":`...)
		dst = appendString(dst, string(r.Reason))
		dst = append(dst, `,"detail":`...)
		dst = appendString(dst, r.Detail)
		dst = append(dst, '}')
	}
	return dst
}

// appendStamps ends the list of placements, or of rejections, with what every decision states about itself.
// until is the end as it is written, empty for never.
func appendStamps(dst []byte, version uint64, trueAt hlc.Timestamp, until []byte, degraded bool) []byte {
	dst = append(dst, `],"rulesVersion":`...)
	dst = strconv.AppendUint(dst, version, 10)
	dst = append(dst, `,"asOf":"`...)
	dst = trueAt.AppendText(dst)
	if len(until) == 0 {
		dst = append(dst, `","validUntil":null,"degraded":`...)
	} else {
		dst = append(append(dst, `","validUntil":"`...), until...)
		dst = append(dst, `","degraded":`...)
	}
	dst = strconv.AppendBool(dst, degraded)
	return append(dst, "}\n"...)
}

const hexDigits = "0123456789abcdef"

// appendString appends valid UTF-8 as a JSON string.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		if c == '"' || c == '\\' {
			dst = append(dst, '\\', c)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		from = i + 1
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
