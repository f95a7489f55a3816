// Package problem is the one form in which a caller is told what went wrong: an RFC 9457 problem+json body with a stable code. Every code the
// product can answer stands in the catalogue of this package.
package problem

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// ContentType is the media type of a problem body.
const ContentType = "application/problem+json"

// Problem is an answer that is not a success. It is an error, so that a handler can return it from any depth.
type Problem struct {
	Code       string // stable; see Catalogue
	Detail     string // for a person; never engine, SQL or library text, never more than 64 bytes of the caller's input
	Field      string // JSON path of the offending field or query parameter, "" when none is at fault
	Index      *int   // of the offending item in a list
	Issues     any    // rule findings, for codes that carry them
	RetryAfter int    // seconds; 0 sends no Retry-After header
}

// New makes a problem of a catalogued code. The detail is formatted as by fmt.Sprintf.
func New(code, detail string, args ...any) *Problem {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &Problem{Code: code, Detail: detail}
}

// At returns p with the field that is at fault.
func (p *Problem) At(field string) *Problem {
	p.Field = field
	return p
}

// Error makes a Problem an error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// Status is the HTTP status of the problem's code: 500 for a code outside of the catalogue.
func (p *Problem) Status() int {
	if entry, ok := Catalogue[p.Code]; ok {
		return entry.Status
	}
	return http.StatusInternalServerError
}

type body struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Instance  string `json:"instance,omitempty"`
	Code      string `json:"code"`
	RequestID string `json:"requestId,omitempty"`
	Field     string `json:"field,omitempty"`
	Index     *int   `json:"index,omitempty"`
	Issues    any    `json:"issues,omitempty"`
}

// Body renders the problem for the request with this path and id.
func (p *Problem) Body(instance, requestID string) []byte {
	entry, ok := Catalogue[p.Code]
	if !ok {
		entry = Catalogue[Internal]
	}
	out, err := json.Marshal(body{
		Type: "urn:eligibility:problem:" + p.Code, Title: entry.Title, Status: p.Status(), Detail: p.Detail, Instance: instance,
		Code: p.Code, RequestID: requestID, Field: p.Field, Index: p.Index, Issues: p.Issues,
	})
	if err != nil { // Issues is ours and always encodes; this keeps a programmer's slip from an empty answer
		return []byte(`{"type":"about:blank","title":"Internal error","status":500,"code":"internal"}`)
	}
	return append(out, '\n')
}
