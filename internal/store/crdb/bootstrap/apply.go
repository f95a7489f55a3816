package bootstrap

import (
	"context"
	"fmt"
	"time"
)

// maxRounds bounds how often a plan is made and applied: one is enough unless somebody changes the cluster at the same time.
const maxRounds = 3

// Result is what applying a document has done.
type Result struct {
	Who      string    `json:"who"` // the session's user
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`
	Server   string    `json:"server"`
	Executed []string  `json:"executed"` // as they may be shown: hashes are left out
	Left     *Plan     `json:"left"`     // what differs afterwards; nil when applying ended with an error
}

// Apply makes the cluster as doc declares it, reads its state again and says what is left: what is blocked, and what nobody declared.
// Progress, which may be nil, hears of each statement before it is executed. The result is there also beside an error, with what was
// executed until then; statements are not undone, and applying again goes on where this ended.
func (c *Cluster) Apply(ctx context.Context, doc *Document, secrets Secrets, now func() time.Time, progress func(*Item)) (*Result, error) {
	result := &Result{Who: c.Session, Began: now(), Server: c.Release.String(), Executed: []string{}}
	defer func() { result.Ended = now() }()
	for round := 0; ; round++ {
		state, err := c.State(ctx, doc)
		if err != nil {
			return result, err
		}
		plan := Compare(doc, secrets, state)
		todo := 0
		for i := range plan.Items {
			item := &plan.Items[i]
			if !item.runs() {
				continue
			}
			if todo++; round == maxRounds {
				return result, fmt.Errorf("%s still differs after %d rounds: does something else change it?", item.Object, maxRounds)
			}
			if progress != nil {
				progress(item)
			}
			if err := c.execute(ctx, doc, item); err != nil && !already(err) {
				return result, fmt.Errorf("%s: %s: %w", item.Object, item.Statement, err)
			}
			result.Executed = append(result.Executed, item.Statement)
		}
		if todo == 0 {
			result.Left = plan
			return result, nil
		}
	}
}
