package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// chunk is how many users are looked at together: few enough that the last of them is sent within a moment of the look.
	chunk = 100
	// maxWaiting bounds who waits; beyond it the list is read on when somebody's time has come.
	maxWaiting = 100_000
	// breath is the shortest time until a user is looked at again, in case this clock is ahead of the engine's.
	breath = time.Second
)

// What becomes of a user. Waiting is not the last that is heard of one.
const (
	Sent    = "sent"
	Waiting = "waiting"
	LeftOut = "leftOut"
	Failed  = "failed"
)

// Outcome is what became of one user.
type Outcome struct {
	UserID  string     `json:"userId"`
	Outcome string     `json:"outcome"`
	Reason  string     `json:"reason,omitempty"` // why not, in the engine's words
	RetryAt *time.Time `json:"retryAt,omitempty"`
}

// Worker sends one promotion on one channel.
type Worker struct {
	Engine             Engine
	Promotion, Channel string
	SendID             string    // names the message; the same when the worker is started again
	Until              time.Time // who qualifies later than this is left out
	Deliver            func(ctx context.Context, userID, key string) error
	Report             func(Outcome) error

	waiting Queue
	tally   map[string]int
}

// Run sends to the users of the list, one id a line, until the list is read and nobody waits any more. It returns how many outcomes of
// each kind there were, and why it stopped early.
func (w *Worker) Run(ctx context.Context, list *bufio.Scanner) (map[string]int, error) {
	w.tally = map[string]int{}
	for more := true; more || w.waiting.Len() > 0; {
		var users []string
		users, more = w.next(list, more)
		if len(users) == 0 {
			if w.waiting.Len() == 0 {
				break
			}
			if err := pause(ctx, time.Until(w.waiting.Next())); err != nil {
				return w.tally, err
			}
			continue
		}
		if err := w.send(ctx, users); err != nil {
			return w.tally, fmt.Errorf("send to %d users, %s first: %w", len(users), users[0], err)
		}
	}
	return w.tally, list.Err()
}

// send looks at the users, sends to those who qualify, and tells the engine. It sends first and confirms then: a worker that dies in
// between sends again when it is started again, and the provider knows the key.
func (w *Worker) send(ctx context.Context, users []string) error {
	lines, err := w.Engine.Reserve(ctx, w.Promotion, w.Channel, w.SendID, users)
	if err != nil {
		return err
	}
	settled := map[string][]string{}
	var unreported error
	for _, line := range lines {
		outcome := w.settle(ctx, &line)
		if line.Eligible {
			settled[outcome.Outcome] = append(settled[outcome.Outcome], line.UserID)
		}
		w.tally[outcome.Outcome]++
		unreported = cmp.Or(unreported, w.Report(outcome))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest) // who is told to stop still says what is out
	defer cancel()
	return errors.Join(unreported, w.Engine.Confirm(ctx, w.SendID, settled[Sent]), w.Engine.Release(ctx, w.SendID, settled[Failed]))
}

// next takes those whose time has come, then fills up from the list. More says whether the list goes on.
func (w *Worker) next(list *bufio.Scanner, more bool) ([]string, bool) {
	var users []string
	now := time.Now()
	for len(users) < chunk {
		userID, ok := w.waiting.Due(now)
		if !ok {
			break
		}
		users = append(users, userID)
	}
	for more && len(users) < chunk && w.waiting.Len() < maxWaiting {
		if more = list.Scan(); more {
			// One who stands twice in the list is sent once: within a chunk by this, otherwise by the send id.
			if userID := strings.TrimSpace(list.Text()); userID != "" && !slices.Contains(users, userID) {
				users = append(users, userID)
			}
		}
	}
	return users, more
}

// settle sends to the user, or has him wait, or leaves him out.
func (w *Worker) settle(ctx context.Context, line *Line) Outcome {
	outcome := Outcome{UserID: line.UserID, Reason: line.Reason, RetryAt: line.RetryAt}
	switch {
	case line.Error != nil:
		outcome.Outcome, outcome.Reason = Failed, line.Error.Code
	case line.Eligible:
		outcome = Outcome{UserID: line.UserID, Outcome: Sent}
		if err := w.Deliver(ctx, line.UserID, w.SendID+"/"+line.UserID); err != nil {
			outcome.Outcome, outcome.Reason = Failed, err.Error()
		}
	case line.RetryAt != nil && !line.RetryAt.After(w.Until):
		outcome.Outcome = Waiting
		at := *line.RetryAt
		if soonest := time.Now().Add(breath); at.Before(soonest) {
			at = soonest
		}
		w.waiting.Push(line.UserID, at)
	default:
		outcome.Outcome = LeftOut
	}
	return outcome
}
