package precheck

import (
	"context"
	"io"
	"time"

	"eligibility/internal/rules"
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
	s := newScan(in)
	ended := make(chan error, 1)
	go func() { // ends with in, or once nobody takes its lines
		defer close(s.full)
		ended <- s.run(ctx)
	}()
	waiting := 0 // lines that were answered and not flushed
	for batch := range s.full {
		for rest := batch; len(rest) > 0; {
			n, err := r.turn(ctx, rest)
			rest, waiting = rest[n:], waiting+n
			if err == nil && (waiting >= ChunkUsers || len(rest) == 0 && len(s.full) == 0) {
				waiting, err = 0, flush()
			}
			if err != nil {
				cancel()
				for range s.full { // lets the reader end
				}
				return r.sum, err
			}
		}
		s.empty <- batch[:0]
	}
	return r.sum, <-ended
}

// turn answers as many of the lines as fit a slice when it is its turn, and returns how many these were.
func (r *run) turn(ctx context.Context, lines []Line) (int, error) {
	if r.job.Turn == nil {
		return len(lines), r.answers(ctx, lines)
	}
	var failed error
	spent, err := r.job.Turn(ctx, func(span time.Duration) {
		lines = lines[:min(len(lines), r.slice.Users(span))]
		failed = r.answers(ctx, lines)
	})
	if err != nil {
		return 0, err
	}
	r.slice.Took(len(lines), spent)
	return len(lines), failed
}

func (r *run) answers(ctx context.Context, lines []Line) error {
	r.begin()
	for i := range lines {
		r.ask(lines[i])
	}
	return r.end(ctx)
}
