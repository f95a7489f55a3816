package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds of one call.
const (
	timeout      = time.Minute // longer than the longest wait that a server grants
	maxBodyBytes = 16 << 20
)

// Config says which control plane to speak to, and as whom.
type Config struct {
	URL     string // of the control plane: http://127.0.0.1:8081
	Project string
	Key     string // an admin key of the project, or the root key
}

// Validate reports all faults.
func (c *Config) Validate() error {
	var faults []error
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		faults = append(faults, fmt.Errorf("url: %q is no address such as http://127.0.0.1:8081", c.URL))
	}
	if c.Project == "" {
		faults = append(faults, errors.New("project: name the project"))
	}
	if c.Key == "" {
		faults = append(faults, errors.New("key: an admin key of the project is needed"))
	} else if strings.ContainsFunc(c.Key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		faults = append(faults, errors.New("key: a key has no blanks and no characters beyond ASCII"))
	}
	return errors.Join(faults...)
}

// Client speaks to the control plane for one project. It is safe for concurrent use.
type Client struct {
	cfg  Config
	http *http.Client
}

// New makes a client. The error is Config.Validate's.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.URL = strings.TrimSuffix(cfg.URL, "/")
	return &Client{cfg: cfg, http: &http.Client{
		Timeout: timeout,
		// A key is for the address that was named, not for where that points to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Project is the name of the project.
func (c *Client) Project() string { return c.cfg.Project }

// call is one request and where its answer goes.
type call struct {
	method, path string     // the path is below the project; "" is the project itself
	query        url.Values // may be nil
	body         any        // nil: none
	ifMatch      string     // "": whatever the generation
	into         any        // nil: the answer does not matter
}

// do carries out a call. An answer that is no success is a *Problem.
func (c *Client) do(ctx context.Context, k call) (etag string, err error) {
	var body io.Reader
	if k.body != nil {
		encoded, err := json.Marshal(k.body)
		if err != nil {
			return "", fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	address := c.cfg.URL + "/v1/projects/" + url.PathEscape(c.cfg.Project) + k.path
	if len(k.query) > 0 {
		address += "?" + k.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, k.method, address, body)
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Api-Key", c.cfg.Key)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if k.ifMatch != "" {
		request.Header.Set("If-Match", k.ifMatch)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask the control plane: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxBodyBytes+1))
	if err != nil {
		return "", fmt.Errorf("read the answer of the control plane: %w", err)
	}
	if len(answer) > maxBodyBytes {
		return "", fmt.Errorf("the control plane answered with more than %d bytes", maxBodyBytes)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return "", problemOf(response, answer)
	}
	if k.into == nil {
		return response.Header.Get("ETag"), nil
	}
	if err := json.Unmarshal(answer, k.into); err != nil {
		return "", fmt.Errorf("the answer of %s is not that of a control plane: %w", c.cfg.URL, err)
	}
	return response.Header.Get("ETag"), nil
}
