package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Engine asks one eligibility engine. Safe for concurrent use.
type Engine struct {
	URL  string // of its decision plane
	Key  string // a server key
	HTTP *http.Client
}

// Line is what the engine says about one user: eligible or not and why, or what was wrong with the question.
type Line struct {
	UserID   string     `json:"userId"`
	Eligible bool       `json:"eligible"`
	Reason   string     `json:"reason"`
	RetryAt  *time.Time `json:"retryAt"` // when passing time alone may make the user eligible; nil: never
	Error    *struct {
		Code string `json:"code"`
	} `json:"error"`
	Summary json.RawMessage `json:"summary"` // of the last line alone
}

// Refusal is an answer other than a success.
type Refusal struct {
	Status     int
	Code       string
	RetryAfter time.Duration
}

func (r *Refusal) Error() string { return fmt.Sprintf("the engine refused: %d %s", r.Status, r.Code) }

// errCut is an answer without its summary: what it lacks is not known.
var errCut = errors.New("the answer was cut")

const (
	maxTries  = 8
	firstWait = 250 * time.Millisecond
	longest   = time.Minute
)

// Precheck asks who of at most 1,000 users qualifies for the promotion on the channel now. What is temporary it tries again, for a minute or so: asking changes nothing, so it
// may be repeated. Its last fault is returned when that does not help.
func (e *Engine) Precheck(ctx context.Context, promotion, channel string, userIDs []string) ([]Line, error) {
	body, err := json.Marshal(map[string]any{"promotion": promotion, "channel": channel, "userIds": userIDs})
	if err != nil {
		return nil, err
	}
	for tries := 1; ; tries++ {
		lines, err := e.precheck(ctx, body)
		if err == nil || tries == maxTries || ctx.Err() != nil {
			return lines, err
		}
		wait := min(firstWait<<tries, longest)
		wait = wait/2 + rand.N(wait/2) // so that workers that were refused together do not come back together
		var refusal *Refusal
		if errors.As(err, &refusal) {
			if refusal.Status != http.StatusTooManyRequests && refusal.Status < 500 {
				return nil, err
			}
			wait = max(wait, min(refusal.RetryAfter, longest))
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (e *Engine) precheck(ctx context.Context, body []byte) ([]Line, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL+"/v1/precheck", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Api-Key", e.Key)
	request.Header.Set("Content-Type", "application/json")
	response, err := e.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, refusal(response)
	}
	var lines []Line
	for in := bufio.NewScanner(response.Body); in.Scan(); {
		var line Line
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			return nil, errCut
		}
		if line.Summary != nil {
			return lines, nil
		}
		lines = append(lines, line)
	}
	return nil, errCut
}

func refusal(response *http.Response) error {
	var problem struct {
		Code string `json:"code"`
	}
	_ = json.NewDecoder(response.Body).Decode(&problem) // a proxy's answer has no code
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return &Refusal{Status: response.StatusCode, Code: problem.Code, RetryAfter: time.Duration(seconds) * time.Second}
}

func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
