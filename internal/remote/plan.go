package remote

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"eligibility/internal/rulefile"
	"eligibility/internal/rules"
)

// Kind is how a promotion of the folder and of the server differ.
type Kind string

// The kinds.
const (
	Added   Kind = "added"   // only the folder has it
	Changed Kind = "changed" // both have it, not the same
	Retired Kind = "retired" // only the server has it
)

// Change is one promotion that differs.
type Change struct {
	Promotion   string             `json:"promotion"`
	Kind        Kind               `json:"kind"`
	Revision    int                `json:"revision,omitempty"` // that it was compared with
	Draft       int                `json:"draft,omitempty"`    // of the server: it would be overwritten
	Differences []rules.Difference `json:"differences,omitempty"`

	wanted  *rulefile.Promotion
	ifMatch string
}

// Plan is what would make the server as the folder says.
type Plan struct {
	Project      string        `json:"project"`
	Declarations []Declaration `json:"declarations"`
	Changes      []Change      `json:"changes"` // by id
	Same         int           `json:"same"`    // promotions without a difference
}

// Empty reports whether there is nothing to do. Promotions that only the server has count only when they are to be retired.
func (p *Plan) Empty(retire bool) bool {
	return len(p.Declarations) == 0 && !slices.ContainsFunc(p.Changes, func(c Change) bool { return retire || c.Kind != Retired })
}

// Against says what of a promotion the folder is compared with.
type Against int

// What there is to compare with.
const (
	Live   Against = iota // the revision in force
	Newest                // the draft, if there is one
)

// Compare holds the folder against the server. only limits it to some promotions, nil to none.
func (c *Client) Compare(ctx context.Context, folder *rulefile.Folder, against Against, only []string) (*Plan, error) {
	there, err := c.Declarations(ctx)
	if err != nil {
		return nil, err
	}
	heads, err := c.Heads(ctx)
	if err != nil {
		return nil, err
	}
	plan := &Plan{Project: c.cfg.Project, Declarations: undeclared(folder.Project, there), Changes: []Change{}}
	known := make(map[string]*rules.Head, len(heads))
	for i := range heads {
		h := &heads[i]
		known[h.ID] = h
		if _, here := folder.Promotion(h.ID); !here && wanted(only, h.ID) && (against == Newest || h.Published != 0) {
			plan.Changes = append(plan.Changes, Change{Promotion: h.ID, Kind: Retired, Revision: h.Published})
		}
	}
	for i := range folder.Promotions {
		p := &folder.Promotions[i]
		if !wanted(only, p.ID) {
			continue
		}
		change, err := c.compare(ctx, p, known[p.ID], against)
		if err != nil {
			return nil, fmt.Errorf("promotion %s: %w", p.ID, err)
		}
		if change == nil {
			plan.Same++
			continue
		}
		plan.Changes = append(plan.Changes, *change)
	}
	slices.SortFunc(plan.Changes, func(a, b Change) int { return strings.Compare(a.Promotion, b.Promotion) })
	return plan, nil
}

func wanted(only []string, id string) bool { return len(only) == 0 || slices.Contains(only, id) }

// compare is nil when the promotion is on the server as the folder has it.
func (c *Client) compare(ctx context.Context, p *rulefile.Promotion, head *rules.Head, against Against) (*Change, error) {
	if head == nil {
		return c.unlisted(ctx, p)
	}
	out := &Change{Promotion: p.ID, Kind: Added, Draft: head.Draft, wanted: p, ifMatch: fmt.Sprintf("%q", fmt.Sprint(head.Generation))}
	number := head.Published
	if against == Newest {
		number = head.Newest()
		out.Draft = 0 // it is what the folder is compared with
	}
	if number == 0 {
		return out, nil
	}
	standing, err := c.Promotion(ctx, p.ID, number)
	if err != nil {
		return nil, err
	}
	out.Kind, out.Revision = Changed, number
	out.Differences, err = rulefile.Differences(&standing.Promotion, &p.Promotion)
	if err != nil || len(out.Differences) == 0 {
		return nil, err
	}
	return out, nil
}

// unlisted is the change for a promotion that the server does not list: new to it, or retired there.
func (c *Client) unlisted(ctx context.Context, p *rulefile.Promotion) (*Change, error) {
	out := &Change{Promotion: p.ID, Kind: Added, wanted: p}
	standing, err := c.Promotion(ctx, p.ID, 0)
	switch {
	case Is(err, "promotion_not_found"):
		return out, nil
	case err != nil:
		return nil, err
	}
	out.ifMatch = standing.etag
	return out, nil
}
