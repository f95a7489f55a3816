package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Precheck asks a bulk plane whether users may be sent a promotion.
type Precheck struct {
	URL       string // of the bulk plane: http://127.0.0.1:8084
	Key       string // a server key
	Promotion string
	Channel   string
}

// PrecheckResult is what a whole stream came to.
type PrecheckResult struct {
	Total        int64            `json:"total"`
	Eligible     int64            `json:"eligible"`
	Failed       int64            `json:"failed"`
	Reasons      map[string]int64 `json:"reasons"`
	RulesVersion uint64           `json:"rulesVersion"`
	OldestAsOf   string           `json:"oldestAsOf"`
	Resumed      int              `json:"resumed"` // how often the stream was cut and went on
}

// PrecheckProgress is what a stream has come to so far.
type PrecheckProgress struct {
	Users, Eligible int64
	Read            int64 // bytes of the input
}

// patience is how often in a row a stream is tried again without an answer.
const patience = 6

// Stream sends the lines {"userId":"…"} of in, and writes the answers to out in their order. A stream that is cut is taken up again with the first line that was
// not answered, so that out holds each answer once; a cut costs the user nothing but time. progress, which may be nil, is called after each chunk.
func (q *Precheck) Stream(ctx context.Context, in io.Reader, out io.Writer, progress func(PrecheckProgress)) (*PrecheckResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := newWindow()
	s := &prechecking{Precheck: q, window: w, out: bufio.NewWriter(out), progress: progress, result: PrecheckResult{Reasons: make(map[string]int64)}}
	defer context.AfterFunc(ctx, w.wake)()
	go w.fill(in) // ends with the input; one that never ends is the caller's to close
	defer w.close(context.Canceled)
	for failures := 0; ; {
		before := s.result.Total
		wait, err := s.attempt(ctx)
		if flushErr := s.out.Flush(); flushErr != nil {
			return nil, fmt.Errorf("write the answers: %w", flushErr)
		}
		var refused *Problem
		switch {
		case err == nil:
			return &s.result, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, errFinal), errors.As(err, &refused) && wait == 0:
			return nil, err
		}
		if failures++; s.result.Total > before {
			failures = 1
		}
		if failures > patience {
			return nil, fmt.Errorf("gave up after %d attempts: %w", failures, err)
		}
		s.result.Resumed++
		timer := time.NewTimer(max(wait, time.Duration(failures)*200*time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}

// prechecking is a stream on its way.
type prechecking struct {
	*Precheck
	window   *window
	out      *bufio.Writer
	progress func(PrecheckProgress)
	result   PrecheckResult
}

// errFinal marks what another attempt would not mend.
var errFinal = errors.New("cannot go on")

// attempt sends what is not answered. An error with a wait is worth another attempt after it.
func (s *prechecking) attempt(ctx context.Context) (wait time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	s.window.begin()
	body, sender := io.Pipe()
	var sending sync.WaitGroup
	defer func() {
		cancel()
		_ = body.Close()
		s.window.wake()
		sending.Wait()
	}()
	sending.Go(func() { s.send(ctx, sender) })
	address := strings.TrimSuffix(s.URL, "/") + "/v1/precheck?" + url.Values{"promotion": {s.Promotion}, "channel": {s.Channel}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errFinal, err)
	}
	request.Header.Set("Api-Key", s.Key)
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("ask the bulk plane: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(response.Body, maxBodyBytes))
		if err != nil {
			return 0, fmt.Errorf("read the answer of the bulk plane: %w", err)
		}
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // 0 of a refusal that stays
		return time.Duration(seconds) * time.Second, problemOf(response, text)
	}
	return 0, s.receive(response.Body)
}

func (s *prechecking) send(ctx context.Context, to *io.PipeWriter) {
	for {
		lines, err := s.window.next(ctx)
		for _, line := range lines {
			if _, err := to.Write(line); err != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) {
			_ = to.Close()
			return
		}
		if err != nil {
			_ = to.CloseWithError(err)
			return
		}
	}
}

func (s *prechecking) receive(body io.Reader) error {
	in := bufio.NewReaderSize(body, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("the stream was cut after %d answers: %w", s.result.Total, err)
		}
		if bytes.HasPrefix(line, []byte(`{"summary":`)) {
			return s.summary(line)
		}
		if err := s.line(line); err != nil {
			return err
		}
		if s.progress != nil && in.Buffered() == 0 {
			s.progress(PrecheckProgress{Users: s.result.Total, Eligible: s.result.Eligible, Read: s.window.read()})
		}
	}
}

func (s *prechecking) line(line []byte) error {
	var answer struct {
		Eligible bool             `json:"eligible"`
		Reason   string           `json:"reason"`
		Error    *json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return fmt.Errorf("%w: the answer %.80q is no JSON", errFinal, line)
	}
	if err := s.window.answered(); err != nil {
		return fmt.Errorf("%w: %w", errFinal, err)
	}
	s.result.Total++
	switch {
	case answer.Error != nil:
		s.result.Failed++
	case answer.Eligible:
		s.result.Eligible++
	default:
		s.result.Reasons[answer.Reason]++
	}
	if _, err := s.out.Write(line); err != nil {
		return fmt.Errorf("%w: write the answers: %w", errFinal, err)
	}
	return nil
}

func (s *prechecking) summary(line []byte) error {
	var last struct {
		Summary struct {
			RulesVersion uint64  `json:"rulesVersion"`
			OldestAsOf   *string `json:"oldestAsOf"`
		} `json:"summary"`
	}
	if err := json.Unmarshal(line, &last); err != nil {
		return fmt.Errorf("%w: the summary is no JSON", errFinal)
	}
	s.result.RulesVersion = last.Summary.RulesVersion
	if last.Summary.OldestAsOf != nil {
		s.result.OldestAsOf = *last.Summary.OldestAsOf
	}
	return nil
}
