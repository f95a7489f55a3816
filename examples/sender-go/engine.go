package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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

// hold is for how long a send is reserved: longer than a chunk takes to be sent.
const hold = "5m"

// Reserve asks who of at most 1,000 users qualifies for the promotion on the channel now, and reserves the sends to those who do under the
// send id. A reservation under the same id is the same one, so what is temporary is tried again, for a minute or so. The last fault is
// returned when that does not help.
func (e *Engine) Reserve(ctx context.Context, promotion, channel, sendID string, userIDs []string) ([]Line, error) {
	type reserve struct {
		SendID string `json:"sendId"`
		For    string `json:"for"`
	}
	type user struct {
		UserID  string  `json:"userId"`
		Reserve reserve `json:"reserve"`
	}
	users := make([]user, len(userIDs))
	for i, userID := range userIDs {
		users[i] = user{userID, reserve{sendID, hold}}
	}
	body := map[string]any{"promotion": promotion, "channel": channel, "users": users}
	var lines []Line
	err := e.post(ctx, "/v1/precheck", body, func(answer io.Reader) error {
		lines = lines[:0]
		for in := bufio.NewScanner(answer); in.Scan(); {
			var line Line
			if err := json.Unmarshal(in.Bytes(), &line); err != nil {
				return errCut
			}
			if line.Summary != nil {
				return nil
			}
			lines = append(lines, line)
		}
		return errCut
	})
	return lines, err
}

// Confirm records the sends to the users, which are out: caps count them, and nobody is granted them again.
func (e *Engine) Confirm(ctx context.Context, sendID string, userIDs []string) error {
	return e.settle(ctx, "confirm", sendID, userIDs, map[string]any{"sent": true})
}

// Release gives the reserved sends to the users back.
func (e *Engine) Release(ctx context.Context, sendID string, userIDs []string) error {
	return e.settle(ctx, "release", sendID, userIDs, nil)
}

func (e *Engine) settle(ctx context.Context, verb, sendID string, userIDs []string, more map[string]any) error {
	if len(userIDs) == 0 {
		return nil
	}
	sends := make([]map[string]any, len(userIDs))
	for i, userID := range userIDs {
		sends[i] = map[string]any{"userId": userID, "sendId": sendID}
		maps.Copy(sends[i], more)
	}
	return e.post(ctx, "/v1/precheck/reservations:"+verb, map[string]any{"sends": sends}, func(io.Reader) error { return nil })
}

// post makes a call that may be repeated, and repeats it while what is wrong is temporary. Read is given each successful answer.
func (e *Engine) post(ctx context.Context, path string, body any, read func(io.Reader) error) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	for tries := 1; ; tries++ {
		err := e.try(ctx, path, text, read)
		if err == nil || tries == maxTries || ctx.Err() != nil {
			return err
		}
		wait := min(firstWait<<tries, longest)
		wait = wait/2 + rand.N(wait/2) // so that workers that were refused together do not come back together
		var refusal *Refusal
		if errors.As(err, &refusal) {
			if refusal.Status != http.StatusTooManyRequests && refusal.Status < 500 {
				return err
			}
			wait = max(wait, min(refusal.RetryAfter, longest))
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func (e *Engine) try(ctx context.Context, path string, body []byte, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Api-Key", e.Key)
	request.Header.Set("Content-Type", "application/json")
	response, err := e.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusal(response)
	}
	return read(response.Body)
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
