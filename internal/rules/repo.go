package rules

import (
	"context"
	"errors"
	"time"

	"eligibility/internal/audit"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// Revision is one numbered version of a promotion. It is immutable once it was published; until then a draft's PUT overwrites it.
type Revision struct {
	Promotion   Promotion  `json:"promotion"`
	Number      int        `json:"revision"`
	CreatedAt   time.Time  `json:"createdAt"`
	CreatedBy   string     `json:"createdBy"`
	PublishedAt *time.Time `json:"publishedAt,omitempty"`
	PublishedBy string     `json:"publishedBy,omitempty"`
}

// Head is where a promotion stands. Generation rises with every change of it and is the ETag that If-Match guards.
type Head struct {
	ID         string    `json:"id"`
	Draft      int       `json:"draft,omitempty"`     // number of the unpublished revision, 0 when there is none
	Published  int       `json:"published,omitempty"` // number of the revision in force, 0 when none is
	Paused     bool      `json:"paused,omitempty"`
	Retired    bool      `json:"retired,omitempty"`
	Last       int       `json:"lastRevision"` // the highest number given out
	CampaignID int32     `json:"campaignId"`
	Generation uint64    `json:"generation"`
	UpdatedAt  time.Time `json:"updatedAt"`
	UpdatedBy  string    `json:"updatedBy"`
}

// Spec is everything that a project's ruleset of one version is made from.
type Spec struct {
	Project    string
	Version    uint64
	AsOf       hlc.Timestamp // when it was read
	Settings   Settings
	Schema     *profile.Schema
	Context    []ContextField
	Placements []Placement
	Promotions Roll[LivePromotion] // in force and not retired
}

// LivePromotion is a published revision and whether it is paused. Stores hand out the same pointer as long as the revision is in force, so that equal values mean that
// nothing has changed; what it points to is not to be changed.
type LivePromotion struct {
	Promotion *Promotion
	Revision  int
	Paused    bool
}

func (l LivePromotion) id() string { return l.Promotion.ID }

// Commit is one atomic change of a project's authored state. Nil and zero parts stay as they are.
type Commit struct {
	Project string
	// ExpectVersion is the ruleset version that the change was computed from: the commit is refused with ErrConflict when the project is at another.
	// It counts only when NewVersion is set.
	ExpectVersion uint64
	NewVersion    bool // this change makes the ruleset version ExpectVersion+1
	Settings      *Settings
	Schema        *profile.Schema
	Context       []ContextField
	Placements    []Placement
	Head          *Head     // its Generation is one above the stored head's, else ErrConflict
	Revision      *Revision // of Head's promotion
	// Receipt is kept for ReceiptLife. The commit is refused with ErrConflict when there is one under its key already. A commit of nothing
	// but a receipt writes no audit entry.
	Receipt *Receipt
	Audit   audit.Entry
}

// OnlyReceipt reports whether the commit changes nothing that is authored.
func (c *Commit) OnlyReceipt() bool {
	return c.Receipt != nil && !c.NewVersion && c.Settings == nil && c.Schema == nil && c.Context == nil && c.Placements == nil && c.Head == nil
}

// Repo keeps what marketers author. Every commit is durable before it returns and carries its change record.
type Repo interface {
	// CreateProject makes a project at ruleset version 1. ErrExists when there is one of this name.
	CreateProject(ctx context.Context, spec Spec, entry audit.Entry) (hlc.Timestamp, error)
	// Projects lists all project names in order.
	Projects(ctx context.Context) ([]string, error)
	// Spec reads the project's live state at one timestamp. ErrNotFound for an unknown project.
	Spec(ctx context.Context, project string) (*Spec, error)
	// Version reads only the ruleset version.
	Version(ctx context.Context, project string) (uint64, error)
	// Commit applies the change atomically. ErrConflict, ErrNotFound, profile.ErrNotDurable, profile.ErrUnavailable.
	Commit(ctx context.Context, c *Commit) (hlc.Timestamp, error)
	// Head and Revision read one promotion; ErrNotFound.
	Head(ctx context.Context, project, id string) (*Head, error)
	Revision(ctx context.Context, project, id string, number int) (*Revision, error)
	// Heads lists promotions by id after the given one; Revisions all revisions of one, newest first.
	Heads(ctx context.Context, project, after string, limit int) ([]Head, error)
	Revisions(ctx context.Context, project, id string) ([]Revision, error)
	// Receipt reads what a request under the idempotency key came to; ErrNotFound when there was none within ReceiptLife.
	Receipt(ctx context.Context, project, key string) (*Receipt, error)
	// Audit lists entries newest first, before the cursor ("" starts at the newest), and the cursor of the next page ("" at the end).
	Audit(ctx context.Context, project, cursor string, limit int) ([]audit.Entry, string, error)
}

// Errors of a Repo.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrConflict = errors.New("changed meanwhile by another")
)
