package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// AudienceAsk is what an audience job is asked to find out. Zero values leave it to the server.
type AudienceAsk struct {
	Promotion  string     `json:"promotion"`
	Channel    string     `json:"channel,omitzero"`
	At         *time.Time `json:"at,omitzero"`
	SpreadOver string     `json:"spreadOver,omitzero"`
	CountBy    string     `json:"countBy,omitzero"`
	Lines      string     `json:"lines,omitzero"`
	Publish    bool       `json:"publish,omitzero"`
}

// Audience is an audience job as the bulk plane shows it.
type Audience struct {
	ID        string     `json:"id"`
	Promotion string     `json:"promotion"`
	Channel   string     `json:"channel"`
	At        time.Time  `json:"at"`
	State     string     `json:"state"`
	Why       string     `json:"why,omitzero"`
	Created   time.Time  `json:"created"`
	Begins    time.Time  `json:"begins"`
	Ended     *time.Time `json:"ended,omitzero"`

	Users       int64            `json:"users"`
	Eligible    int64            `json:"eligible"`
	Expected    int64            `json:"expected,omitzero"`
	PerSecond   float64          `json:"perSecond"`
	SecondsLeft *int64           `json:"secondsLeft,omitzero"`
	Reasons     map[string]int64 `json:"reasons"`
	CountBy     *AudienceValues  `json:"countBy,omitzero"`

	RulesVersions []uint64 `json:"rulesVersions"`
	OldestAsOf    string   `json:"oldestAsOf,omitzero"`
	NewestAsOf    string   `json:"newestAsOf,omitzero"`
	Lines         string   `json:"lines"`
	ResultBytes   int64    `json:"resultBytes"`

	Published *AudiencePlace `json:"published,omitzero"` // of a job that publishes
}

// AudiencePlace is how far the results of a job are on the bus.
type AudiencePlace struct {
	Subject  string `json:"subject"`
	Messages int64  `json:"messages"`
	Bytes    int64  `json:"bytes"`
	Whole    bool   `json:"whole"` // the summary is there
}

// Rests reports whether the job does nothing more by itself.
func (a *Audience) Rests() bool { return a.State != "queued" && a.State != "running" }

// AudienceCount is users, and how many of them are eligible.
type AudienceCount struct {
	Users    int64 `json:"users"`
	Eligible int64 `json:"eligible"`
}

// AudienceValues counts users by the values of an attribute.
type AudienceValues struct {
	Attribute string `json:"attribute"`
	Values    []struct {
		Value string `json:"value"`
		AudienceCount
	} `json:"values"`
	Others  AudienceCount `json:"others"`  // with a value that is less frequent
	Without AudienceCount `json:"without"` // with none
}

// StartAudience makes a job. The client is one of the bulk plane, with a server key.
func (c *Client) StartAudience(ctx context.Context, ask AudienceAsk) (a Audience, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: "/audiences", body: &ask, into: &a})
	return a, err
}

// Audiences are the project's jobs on that replica, the newest first.
func (c *Client) Audiences(ctx context.Context) ([]Audience, error) {
	var list struct {
		Audiences []Audience `json:"audiences"`
	}
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/audiences", into: &list})
	return list.Audiences, err
}

// Audience is one job.
func (c *Client) Audience(ctx context.Context, id string) (a Audience, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: audiencePath(id), into: &a})
	return a, err
}

// SteerAudience has a job do the verb: pause, resume or cancel.
func (c *Client) SteerAudience(ctx context.Context, id, verb string) (a Audience, err error) {
	_, err = c.do(ctx, call{method: http.MethodPost, path: audiencePath(id) + ":" + verb, into: &a})
	return a, err
}

// RemoveAudience deletes a job that ended, with its results.
func (c *Client) RemoveAudience(ctx context.Context, id string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: audiencePath(id)})
	return err
}

func audiencePath(id string) string { return "/audiences/" + url.PathEscape(id) }

// downloadPatience is how often in a row a download is taken up again without a byte.
const downloadPatience = 5

// errCut: the results ended before they should have.
var errCut = errors.New("the download was cut")

// DownloadAudience writes a job's results to out: ndjson or csv. Lines that are cut are taken up again where they were; a table is not, for its bytes have no
// fixed place. progress, which may be nil, is told how many bytes there are.
func (c *Client) DownloadAudience(ctx context.Context, id, format string, out io.Writer, progress func(bytes int64)) error {
	counted := &countingWriter{to: out, progress: progress}
	for failures := 0; ; {
		before := counted.n
		err := c.download(ctx, id, format, counted)
		var refused *Problem
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case counted.err != nil:
			return fmt.Errorf("write the results: %w", counted.err)
		case errors.As(err, &refused), format == "csv" && counted.n > 0:
			return err
		}
		if failures++; counted.n > before {
			failures = 1
		}
		if failures > downloadPatience {
			return fmt.Errorf("gave up after %d attempts: %w", failures, err)
		}
		timer := time.NewTimer(time.Duration(failures) * 200 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// download makes one attempt, behind what was written already.
func (c *Client) download(ctx context.Context, id, format string, out *countingWriter) error {
	address := c.cfg.URL + "/v1/projects/" + url.PathEscape(c.cfg.Project) + audiencePath(id) + "/results?format=" + url.QueryEscape(format)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Api-Key", c.cfg.Key)
	if out.n > 0 {
		request.Header.Set("Range", "bytes="+strconv.FormatInt(out.n, 10)+"-")
	}
	long := *c.http
	long.Timeout = 0 // as long as bytes come; ctx ends it
	response, err := long.Do(request)
	if err != nil {
		return fmt.Errorf("ask the bulk plane: %w", err)
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusRequestedRangeNotSatisfiable && out.n > 0:
		return nil // all was there
	case response.StatusCode == http.StatusOK && out.n > 0:
		return fmt.Errorf("%w: the server does not go on in the middle", errCut)
	case response.StatusCode != http.StatusOK && response.StatusCode != http.StatusPartialContent:
		answer, _ := io.ReadAll(io.LimitReader(response.Body, maxBodyBytes))
		return problemOf(response, answer)
	}
	n, err := io.Copy(out, response.Body)
	if err == nil && response.ContentLength >= 0 && n < response.ContentLength {
		err = errCut
	}
	return err
}

// countingWriter knows how much it passed on.
type countingWriter struct {
	to       io.Writer
	n        int64
	err      error
	progress func(int64)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.n += int64(n)
	if err != nil {
		w.err = err
	}
	if w.progress != nil {
		w.progress(w.n)
	}
	return n, err
}
