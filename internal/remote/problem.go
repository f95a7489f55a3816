package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"eligibility/internal/rules"
)

// Problem is a refusal of the control plane, in its own words.
type Problem struct {
	Status    int           `json:"status"`
	Code      string        `json:"code"` // "" when the answer did not come from a control plane
	Title     string        `json:"title"`
	Detail    string        `json:"detail"`
	Field     string        `json:"field"`
	RequestID string        `json:"requestId"`
	Issues    []rules.Issue `json:"issues"`
}

// Error prints what a person can act on.
func (p *Problem) Error() string {
	text := p.Title
	if p.Field != "" {
		text += ": " + p.Field
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return fmt.Sprintf("%s [%s]", text, p.Code)
}

// Is reports whether err is a refusal with this code.
func Is(err error, code string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code == code
}

func problemOf(response *http.Response, body []byte) error {
	p := &Problem{}
	if err := json.Unmarshal(body, p); err != nil || p.Code == "" {
		return fmt.Errorf("%s answered %s, which no control plane does: is it the right address?", response.Request.URL.Host, response.Status)
	}
	p.Status = response.StatusCode
	return p
}
