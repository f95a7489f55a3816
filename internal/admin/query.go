package admin

import (
	"strconv"
	"time"

	"eligibility/internal/problem"
)

// Page sizes of lists.
const (
	pageDefault = 100
	pageMost    = 1000
)

// page is a list as it is answered.
type page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty"`
}

// all is a list that always fits one page.
func all[T any](items []T) (answer, error) {
	if items == nil {
		items = []T{}
	}
	return ok(page[T]{Items: items})
}

// paging reads ?limit= and ?cursor=.
func (c *call) paging() (cursor string, limit int, err error) {
	limit, err = c.number("limit", pageDefault)
	if err != nil || limit < 1 || limit > pageMost {
		return "", 0, problem.New("invalid_parameter", "use 1 to %d", pageMost).At("limit")
	}
	cursor = c.URL.Query().Get("cursor")
	if len(cursor) > 512 {
		return "", 0, problem.New("invalid_parameter", "use the nextCursor of the page before").At("cursor")
	}
	return cursor, limit, nil
}

// number reads a parameter that is a count, absent: fallback.
func (c *call) number(name string, fallback int) (int, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, problem.New("invalid_parameter", "use a number").At(name)
	}
	return n, nil
}

// flag reads a parameter that is true or false, absent: false.
func (c *call) flag(name string) (bool, error) {
	switch c.URL.Query().Get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, problem.New("invalid_parameter", "use true or false").At(name)
}

// wait reads ?wait=, absent: 0.
func (c *call) wait(most time.Duration) (time.Duration, error) {
	text := c.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > most {
		return 0, problem.New("invalid_parameter", "use a duration up to %s, such as 5s", most).At("wait")
	}
	return d, nil
}
