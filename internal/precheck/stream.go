package precheck

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"eligibility/internal/rules"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxLineBytes bounds one line of a stream: an id of 256 bytes, every one of them escaped, fits many times.
const MaxLineBytes = 8 << 10

// Faults of a line of a stream. The line is answered with it, and the stream goes on.
const (
	CodeLine     = "invalid_json"  // not {"userId":"…"}
	CodeLineSize = "line_too_long" // above MaxLineBytes
)

// Stream answers every line {"userId":"…"} of in, with or without a reservation, in its order, by calling yield for each line and flush after each chunk. It holds one chunk and the next,
// however long the stream is; a yield or flush that waits makes the reading wait. What is waiting is answered at once: a slow sender gets his answers line
// by line. Errors are those of reading in, of reading users, of yield and of flush; a stream that ends with one lacks its summary.
//
// in must come to an end when ctx does, or Stream waits for it.
func Stream(ctx context.Context, job *Job, in io.Reader, yield func(*Line) error, flush func() error) (Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := run{job: job, yield: yield, sum: Summary{Reasons: make(map[rules.Reason]int), RulesVersion: job.Ruleset.Version}}
	lines := make(chan Line, ChunkUsers)
	ended := make(chan error, 1)
	go func() { // ends with in, or once nobody takes its lines
		defer close(lines)
		ended <- scan(ctx, in, lines)
	}()
	for first := range lines {
		r.begin()
		r.ask(first)
		for waiting := min(len(lines), ChunkUsers-1); waiting > 0; waiting-- {
			r.ask(<-lines)
		}
		err := r.turn(ctx)
		if err == nil {
			err = flush()
		}
		if err != nil {
			cancel()
			for range lines { // lets the reader end
			}
			return r.sum, err
		}
	}
	return r.sum, <-ended
}

// turn answers a chunk when it is its turn.
func (r *run) turn(ctx context.Context) error {
	if r.job.Turn != nil {
		done, err := r.job.Turn(ctx)
		if err != nil {
			return err
		}
		defer done()
	}
	return r.end(ctx)
}

// scan sends each line that is not blank.
func scan(ctx context.Context, in io.Reader, lines chan<- Line) error {
	reader := bufio.NewReaderSize(in, MaxLineBytes)
	for number := int64(1); ; number++ {
		text, err := reader.ReadSlice('\n')
		line := Line{Number: number}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			line.Fault = CodeLineSize
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = reader.ReadSlice('\n')
			}
		default:
			text = bytes.TrimSpace(text)
			line.UserID, line.Reserve, line.Fault = parse(text)
		}
		if len(text) > 0 {
			select {
			case lines <- line:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// parse reads {"userId":"…","reserve":{…}}; other members are what the sender keeps for himself.
func parse(text []byte) (user string, ask *Reservation, fault string) {
	var line struct {
		UserID  *string        `json:"userId"`
		Reserve jsontext.Value `json:"reserve"`
	}
	if json.Unmarshal(text, &line) != nil || line.UserID == nil {
		return "", nil, CodeLine
	}
	if len(line.Reserve) == 0 || string(line.Reserve) == "null" {
		return *line.UserID, nil, ""
	}
	ask = new(Reservation)
	if json.Unmarshal(line.Reserve, ask, json.RejectUnknownMembers(true)) != nil {
		return *line.UserID, nil, CodeReservation
	}
	return *line.UserID, ask, ""
}
