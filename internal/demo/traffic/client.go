package traffic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	requestTimeout = 5 * time.Second
	maxAnswerBytes = 1 << 20
)

// client speaks to the decision plane.
type client struct {
	http      *http.Client
	url       string
	clientKey string
	serverKey string
	latency   *latency
}

func newClient(cfg *Config, l *latency) *client {
	transport := &http.Transport{
		MaxIdleConns: cfg.Workers, MaxIdleConnsPerHost: cfg.Workers, MaxConnsPerHost: cfg.Workers, IdleConnTimeout: time.Minute,
		DisableCompression: true,
	}
	return &client{
		http: &http.Client{Transport: transport, Timeout: requestTimeout}, url: strings.TrimSuffix(cfg.URL, "/"),
		clientKey: cfg.ClientKey, serverKey: cfg.ServerKey, latency: l,
	}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// question is the body of POST /v1/eligibility.
type question struct {
	UserID     string        `json:"userId"`
	Placements []int32       `json:"placements,omitempty"`
	Context    *circumstance `json:"context,omitempty"`
	Explain    bool          `json:"explain,omitempty"`
	MinAsOf    string        `json:"minAsOf,omitempty"`
}

// circumstance is what the app says about itself.
type circumstance struct {
	Platform   string   `json:"platform,omitempty"`
	AppVersion string   `json:"appVersion,omitempty"`
	CartTotal  *float64 `json:"cartTotal,omitempty"`
}

// answer is what POST /v1/eligibility says, as far as a shopper cares.
type answer struct {
	Placements []struct {
		Placement int32 `json:"placement"`
		Messages  []struct {
			MessageID string `json:"messageId"`
			Promotion string `json:"promotion"`
		} `json:"messages"`
	} `json:"placements"`
	Rejected []struct {
		Promotion string `json:"promotion"`
		Placement int32  `json:"placement"`
		Reason    string `json:"reason"`
		Detail    string `json:"detail"`
	} `json:"rejected"`
	RulesVersion uint64     `json:"rulesVersion"`
	ValidUntil   *time.Time `json:"validUntil"`
	Degraded     bool       `json:"degraded"`
}

// happening is an item of POST /v1/events.
type happening struct {
	UserID     string `json:"userId"`
	Name       string `json:"name"`
	Properties any    `json:"properties,omitempty"`
}

// impression is the body of POST /v1/engagement.
type impression struct {
	UserID    string `json:"userId"`
	MessageID string `json:"messageId"`
	Kind      string `json:"kind"`
}

// ask asks for a decision: with the client key, or with the server key when an explanation is wanted.
func (c *client) ask(ctx context.Context, q *question) (*answer, error) {
	key := c.clientKey
	if q.Explain {
		key = c.serverKey
	}
	out := new(answer)
	return out, c.post(ctx, "/v1/eligibility", key, q, out)
}

// tell sends one user event and returns the stamp from which on it is seen.
func (c *client) tell(ctx context.Context, h happening) (asOf string, err error) {
	var out struct {
		AsOf   string `json:"asOf"`
		Failed []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"failed"`
	}
	if err := c.post(ctx, "/v1/events", c.serverKey, []happening{h}, &out); err != nil {
		return "", err
	}
	if len(out.Failed) > 0 {
		return "", fmt.Errorf("event %s was refused: %s: %s", h.Name, out.Failed[0].Code, out.Failed[0].Message)
	}
	return out.AsOf, nil
}

// shown reports an impression.
func (c *client) shown(ctx context.Context, user, messageID string) error {
	return c.post(ctx, "/v1/engagement", c.clientKey, impression{UserID: user, MessageID: messageID, Kind: "impression"}, nil)
}

// post sends body and decodes the answer into out, if wanted.
func (c *client) post(ctx context.Context, path, key string, body, out any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(encoded))
	if err != nil {
		return fmt.Errorf("build %s: %w", path, err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Api-Key", key)
	began := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("post %s: %w", path, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	c.latency.add(time.Since(began))
	if response.StatusCode/100 != 2 {
		return &refusal{path: path, status: response.StatusCode, code: code(data)}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("decode %s: %w", path, err)
	}
	return nil
}

// refusal is an answer that is not a success.
type refusal struct {
	path   string
	status int
	code   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s answered %d %s", r.path, r.status, r.code) }

// code is the stable code of a problem body, "" when there is none.
func code(problem []byte) string {
	var body struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(problem, &body) != nil {
		return ""
	}
	return body.Code
}
