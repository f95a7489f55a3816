package remote

import (
	"context"
	"fmt"

	"eligibility/internal/rulefile"
	"eligibility/internal/rules"
)

// Refused says that the server found errors in drafts that the folder's own check did not: it knows more, such as another retention. The drafts
// are written, nothing was published.
type Refused struct{ Faults []rulefile.Fault }

// Error says what was done all the same.
func (r *Refused) Error() string {
	return "the server refuses what the folder says: drafts are written, nothing is published"
}

// Result is what a plan's execution came to.
type Result struct {
	Declared  int      `json:"declared"`
	Drafts    []string `json:"drafts"`    // written
	Published []string `json:"published"` // in this order
	Retired   []string `json:"retired"`
	Applied   *Applied `json:"applied,omitempty"` // of the last publication
}

// Import carries out the plan as far as drafts: declarations are made, nothing comes into force. done is told of every step.
func (c *Client) Import(ctx context.Context, plan *Plan, done func(string)) (*Result, error) {
	result, _, err := c.drafts(ctx, plan, done)
	return result, err
}

// drafts declares and writes the drafts, and returns their ETags by promotion.
func (c *Client) drafts(ctx context.Context, plan *Plan, done func(string)) (*Result, map[string]string, error) {
	result := &Result{Drafts: []string{}, Published: []string{}, Retired: []string{}}
	for i := range plan.Declarations {
		d := &plan.Declarations[i]
		if _, err := c.do(ctx, d.call); err != nil {
			return result, nil, fmt.Errorf("declare %s: %w", d, err)
		}
		result.Declared++
		done("declared " + d.String())
	}
	etags := make(map[string]string)
	var faults []rulefile.Fault
	for i := range plan.Changes {
		change := &plan.Changes[i]
		if change.wanted == nil {
			continue
		}
		standing, err := c.draft(ctx, &change.wanted.Promotion, change.ifMatch)
		if err != nil {
			return result, nil, fmt.Errorf("write the draft of %s: %w", change.Promotion, err)
		}
		etags[change.Promotion] = standing.etag
		result.Drafts = append(result.Drafts, change.Promotion)
		done(fmt.Sprintf("wrote the draft of %s, revision %d", change.Promotion, standing.Revision))
		if rules.Failed(standing.Issues) {
			for _, issue := range standing.Issues {
				faults = append(faults, change.wanted.Fault(issue))
			}
		}
	}
	if len(faults) > 0 {
		return result, nil, &Refused{faults}
	}
	return result, etags, nil
}

// Publish carries out the plan. All drafts are written and checked by the server before the first one is published; each publication is a ruleset version of its own, and
// only the last is waited for, since no replica applies a version before the ones below it. retire also takes out of force what only the server has.
func (c *Client) Publish(ctx context.Context, plan *Plan, in Intent, retire bool, done func(string)) (*Result, error) {
	result, etags, err := c.drafts(ctx, plan, done)
	if err != nil {
		return result, err
	}
	last := ""
	for i := range plan.Changes {
		change := &plan.Changes[i]
		if change.Kind != Retired {
			last = change.Promotion
		} else if retire {
			if err := c.Retire(ctx, change.Promotion); err != nil {
				return result, fmt.Errorf("retire %s: %w", change.Promotion, err)
			}
			result.Retired = append(result.Retired, change.Promotion)
			done("retired " + change.Promotion)
		}
	}
	for i := range plan.Changes {
		change := &plan.Changes[i]
		if change.Kind == Retired {
			continue
		}
		intent := in
		if change.Promotion != last {
			intent.Wait = 0
		}
		applied, err := c.operate(ctx, change.Promotion, "publish", 0, intent, etags[change.Promotion])
		if err != nil {
			return result, fmt.Errorf("publish %s: %w", change.Promotion, err)
		}
		result.Published, result.Applied = append(result.Published, change.Promotion), applied
		done(fmt.Sprintf("published %s, revision %d, as ruleset version %d", change.Promotion, applied.Revision, applied.Version))
	}
	return result, nil
}
