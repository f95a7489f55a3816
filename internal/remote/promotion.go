package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"eligibility/internal/rules"
)

// Standing is where a promotion stands on the server, with one revision of it.
type Standing struct {
	rules.Head
	State     rules.State     `json:"state"`
	Revision  int             `json:"revision"` // of Promotion
	Promotion rules.Promotion `json:"promotion"`
	Issues    []rules.Issue   `json:"issues"` // of a draft that was just written

	etag string
}

// Heads lists all promotions that are not retired, by id.
func (c *Client) Heads(ctx context.Context) ([]rules.Head, error) {
	var out []rules.Head
	query := url.Values{"limit": {"1000"}}
	for {
		var page list[rules.Head]
		if _, err := c.do(ctx, call{method: http.MethodGet, path: "/promotions", query: query, into: &page}); err != nil {
			return nil, err
		}
		out = append(out, page.Items...)
		if page.NextCursor == "" {
			return out, nil
		}
		query.Set("cursor", page.NextCursor)
	}
}

// Promotion reads one revision, 0 for the newest.
func (c *Client) Promotion(ctx context.Context, id string, revision int) (*Standing, error) {
	query := url.Values{}
	if revision != 0 {
		query.Set("revision", strconv.Itoa(revision))
	}
	s := &Standing{}
	var err error
	s.etag, err = c.do(ctx, call{method: http.MethodGet, path: "/promotions/" + url.PathEscape(id), query: query, into: s})
	return s, err
}

// Intent is what goes with a publication or rollback.
type Intent struct {
	Comment string
	Confirm bool
	Wait    time.Duration // for every live replica; 0 does not wait
}

// Applied is what a change of what is in force came to.
type Applied struct {
	Version  uint64 `json:"rulesVersion"`
	Revision int    `json:"revision"`
	Replicas *struct {
		Applied int `json:"applied"`
		Live    int `json:"live"`
	} `json:"replicas,omitempty"` // nil without a wait
	Millis int64 `json:"millis"`
}

func (c *Client) operate(ctx context.Context, id, verb string, revision int, in Intent, ifMatch string) (*Applied, error) {
	query := url.Values{}
	if in.Wait > 0 {
		query.Set("wait", in.Wait.String())
	}
	body := struct {
		Comment  string `json:"comment,omitempty"`
		Confirm  bool   `json:"confirm,omitempty"`
		Revision int    `json:"revision,omitempty"`
	}{in.Comment, in.Confirm, revision}
	out := &Applied{}
	_, err := c.do(ctx, call{
		method: http.MethodPost, path: "/promotions/" + url.PathEscape(id) + ":" + verb, query: query, body: body, ifMatch: ifMatch, into: out,
	})
	return out, err
}

// Rollback puts an older revision into force again, 0 for the one before the present one.
func (c *Client) Rollback(ctx context.Context, id string, revision int, in Intent) (*Applied, error) {
	return c.operate(ctx, id, "rollback", revision, in, "")
}

// Retire takes a promotion out of force for good.
func (c *Client) Retire(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: "/promotions/" + url.PathEscape(id)})
	return err
}

// draft writes a promotion as the draft. ifMatch is the generation that the comparison saw, so that nobody's work of since then is lost.
func (c *Client) draft(ctx context.Context, p *rules.Promotion, ifMatch string) (*Standing, error) {
	s := &Standing{}
	var err error
	s.etag, err = c.do(ctx, call{method: http.MethodPut, path: "/promotions/" + url.PathEscape(p.ID), body: p, ifMatch: ifMatch, into: s})
	return s, err
}

// Explain asks why a user does or does not qualify for a promotion, on a channel ("" for the promotion's own) and with context by name. The answer is as the control
// plane gives it.
func (c *Client) Explain(ctx context.Context, user, promotion, channel string, context map[string]string) (json.RawMessage, error) {
	query := url.Values{"userId": {user}, "promotion": {promotion}}
	if channel != "" {
		query.Set("channel", channel)
	}
	for name, value := range context {
		query.Set("context."+name, value)
	}
	var out json.RawMessage
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/explain", query: query, into: &out})
	return out, err
}

// Index asks how the index sees a promotion in force, or, with "", everything in force. The answer is as the control plane gives it.
func (c *Client) Index(ctx context.Context, promotion string) (json.RawMessage, error) {
	path := "/index"
	if promotion != "" {
		path = "/promotions/" + url.PathEscape(promotion) + "/index"
	}
	var out json.RawMessage
	_, err := c.do(ctx, call{method: http.MethodGet, path: path, into: &out})
	return out, err
}

// equalJSON reports whether two values have the same JSON form.
func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
