package rules

import (
	"encoding/json"
	"strings"
	"time"

	"eligibility/internal/profile"
)

// Promotion is the document that a marketer publishes.
type Promotion struct {
	ID           string            `json:"id"`
	Name         string            `json:"name"`
	CampaignID   int32             `json:"campaignId,omitempty"` // 31 bit; assigned when absent
	Rule         string            `json:"rule"`
	Placements   []PlacementTarget `json:"placements,omitempty"`
	Channels     []string          `json:"channels,omitempty"`
	Schedule     *Schedule         `json:"schedule,omitempty"`
	FrequencyCap *FrequencyCap     `json:"frequencyCap,omitempty"`
	Holdout      *Holdout          `json:"holdout,omitempty"`
	Send         *Send             `json:"send,omitempty"` // of its channels beside embedded
	Content      Content           `json:"content"`
}

func (p *Promotion) id() string { return p.ID }

// PlacementTarget puts a promotion into a placement at a priority: 1 is shown first, ties go by id.
type PlacementTarget struct {
	Placement int32 `json:"placement"`
	Priority  int32 `json:"priority"`
}

// Schedule bounds when a promotion can be shown: from Start, inclusive, until End, exclusive. Nil is open.
type Schedule struct {
	Start *time.Time `json:"start,omitempty"`
	End   *time.Time `json:"end,omitempty"`
}

// FrequencyCap withholds a promotion from a user who was shown it Impressions times in the window (now-Per, now].
type FrequencyCap struct {
	Impressions int64    `json:"impressions"`
	Per         Duration `json:"per"`
}

// Holdout withholds a promotion from Percent of the users, chosen by Bucket with Salt.
type Holdout struct {
	Percent float64 `json:"percent"` // 0 to 100, at most two decimals
	Salt    string  `json:"salt"`
}

// Content is what is shown. Only the title is required.
type Content struct {
	Title           string          `json:"title"`
	Body            string          `json:"body,omitempty"`
	MediaURL        string          `json:"mediaUrl,omitempty"`
	MediaURLCaption string          `json:"mediaUrlCaption,omitempty"`
	DefaultAction   *Action         `json:"defaultAction,omitempty"`
	Buttons         []Button        `json:"buttons,omitempty"`
	Text            []Text          `json:"text,omitempty"`
	Payload         json.RawMessage `json:"payload,omitempty"` // any JSON object
}

// Action is what a tap does: Type "openUrl" with a URL in Data, or Type "action://name" with Data "".
type Action struct {
	Type string `json:"type"`
	Data string `json:"data"`
}

// Button is a labelled action.
type Button struct {
	ID     string  `json:"id"`
	Title  string  `json:"title"`
	Action *Action `json:"action,omitempty"`
}

// Text is a further text element.
type Text struct {
	ID    string `json:"id"`
	Text  string `json:"text"`
	Label string `json:"label,omitempty"`
}

// Duration is a time.Duration that is written as Go prints it: "168h0m0s", "168h".
type Duration time.Duration

// MarshalText prints d without zero minutes and seconds.
func (d Duration) MarshalText() ([]byte, error) {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return []byte(text), nil
}

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Placement is a named slot of the app. Limit is how many messages it shows at once.
type Placement struct {
	Placement int32  `json:"placement"`
	Name      string `json:"name"`
	Limit     int    `json:"limit"`
}

// Settings is how a project wants its decisions made.
type Settings struct {
	OnStoreDown OnStoreDown `json:"onStoreDown"`
	MaxStale    Duration    `json:"maxStale"` // with serve_stale: the oldest answer that is still given
	TimeZone    string      `json:"timeZone"`
	URLSchemes  []string    `json:"urlSchemes,omitempty"` // schemes that actions may use besides the common ones
	NewFields   NewFields   `json:"newFields,omitempty"`  // what becomes of undeclared data fields that a backend asks to create
	// Proving has calls of its own. It stands among the settings because it is stored and comes into force with them.
	Proving *Proving `json:"proving,omitempty"`

	// What every campaign send keeps to; what apps show is untouched by it.
	Caps       []SendCap     `json:"caps,omitempty"` // on all sends to one user
	QuietHours *QuietHours   `json:"quietHours,omitempty"`
	Sends      *SendSettings `json:"sends,omitempty"`
}

// OnStoreDown is what happens when freshness cannot be proven and the store cannot be read.
type OnStoreDown string

// The policies.
const (
	FailClosed OnStoreDown = "fail_closed"
	ServeStale OnStoreDown = "serve_stale"
)

// NewFields is what becomes of undeclared data fields that a backend asks to create.
type NewFields string

// The policies.
const (
	ObserveNewFields NewFields = "observe" // they are stored and listed, for a person to declare
	DeclareNewFields NewFields = "declare" // they become attributes of the type of their first value
)

// ContextField is one declared attribute of a request. Slots are only appended.
type ContextField struct {
	Name string       `json:"name"`
	Type profile.Type `json:"type"` // scalar
}
