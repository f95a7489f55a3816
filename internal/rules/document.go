package rules

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"eligibility/internal/profile"
)

// Limits of a promotion's document.
const (
	MaxPromotionIDBytes = 64
	MaxNameRunes        = 200
	MaxContentBytes     = 32 << 10 // of the content as JSON
	MaxSaltBytes        = 64
	MaxTargets          = 50 // placements of one promotion
	MaxButtons          = 20
	MaxTexts            = 50
	MaxCapImpressions   = profile.MaxEngagementPerType // a snapshot holds no more engagement events to count
	maxRuleBytes        = 16 << 10                     // of a draft; the language's own limit is tighter and counts code points
)

// Codes of a document's issues. They are stable.
const (
	codeMissing    = "missing"
	codeMalformed  = "malformed"
	codeTooLong    = "too_long"
	codeTooLarge   = "too_large"
	codeTooMany    = "too_many"
	codeOutOfRange = "out_of_range"
	codeUndeclared = "undeclared_placement"
	codeUnknown    = "unknown_channel"
	codeDuplicate  = "duplicate"
	codeOrder      = "schedule_order"
	codeWindow     = "window_out_of_range"
	codeCategory   = "unknown_category"
	codeURL        = "url_not_allowed"
	codeFixed      = "campaign_id_fixed"
	codeAlways     = "always_true"
	codeNever      = "always_false"
)

// Check says everything that keeps the promotion from being published in a project with this schema, context, placements and settings, and
// what its author may want to know besides. Windows and caps are held against profile.DefaultRetention. The result is empty, not nil, when
// there is nothing to say. Safe for concurrent use.
func Check(s *profile.Schema, context []ContextField, placements []Placement, settings Settings, p *Promotion) []Issue {
	f := &frame{settings: settings, schema: s, context: context, placements: placements, language: newLanguage(s, context)}
	return f.check(p, profile.DefaultRetention)
}

// document collects the issues of one promotion.
type document struct {
	frame     *frame
	retention time.Duration
	issues    []Issue
}

// check is Check within a frame whose language may be shared.
func (f *frame) check(p *Promotion, retention time.Duration) []Issue {
	d := &document{frame: f, retention: retention, issues: []Issue{}}
	d.identity(p)
	d.targets(p)
	d.schedule(p.Schedule)
	d.cap(p.FrequencyCap)
	d.holdout(p.Holdout)
	d.send(p)
	d.content(&p.Content)
	d.rule(p.Rule)
	return d.issues
}

func (d *document) fault(field, code, format string, args ...any) {
	d.issues = append(d.issues, Issue{Severity: SeverityError, Field: field, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (d *document) identity(p *Promotion) {
	if !ValidPromotionID(p.ID) {
		d.fault("id", codeMalformed, "an id is 1 to %d characters of a-z, 0-9 and -, and does not begin with -", MaxPromotionIDBytes)
	}
	switch {
	case strings.TrimSpace(p.Name) == "":
		d.fault("name", codeMissing, "give the promotion a name")
	case utf8.RuneCountInString(p.Name) > MaxNameRunes:
		d.fault("name", codeTooLong, "a name has at most %d characters", MaxNameRunes)
	case strings.ContainsFunc(p.Name, unicode.IsControl):
		d.fault("name", codeMalformed, "a name has no control characters")
	}
	if p.CampaignID < 0 {
		d.fault("campaignId", codeOutOfRange, "a campaign id is 1 to %d; leave it out to have one assigned", math.MaxInt32)
	}
}

func (d *document) targets(p *Promotion) {
	if len(p.Placements) == 0 && len(p.Channels) == 0 {
		d.fault("placements", codeMissing, "name at least one placement or one channel")
	}
	if len(p.Placements) > MaxTargets {
		d.fault("placements", codeTooMany, "a promotion has at most %d placements", MaxTargets)
		return
	}
	declared := make(map[int32]bool, len(d.frame.placements))
	for _, placement := range d.frame.placements {
		declared[placement.Placement] = true
	}
	seen := make(map[int32]bool, len(p.Placements))
	for i, target := range p.Placements {
		field := fmt.Sprintf("placements[%d]", i)
		if !declared[target.Placement] {
			d.fault(field+".placement", codeUndeclared, "placement %d is not declared", target.Placement)
		}
		if seen[target.Placement] {
			d.fault(field+".placement", codeDuplicate, "placement %d stands twice", target.Placement)
		}
		seen[target.Placement] = true
		if target.Priority < 1 {
			d.fault(field+".priority", codeOutOfRange, "a priority is 1 or more; 1 is shown first")
		}
	}
	channels := make(map[string]bool, len(p.Channels))
	for i, channel := range p.Channels {
		field := fmt.Sprintf("channels[%d]", i)
		if !knownChannel(channel) {
			d.fault(field, codeUnknown, "the channels are %s", strings.Join(profile.Channels, ", "))
		} else if channels[channel] {
			d.fault(field, codeDuplicate, "channel %s stands twice", channel)
		}
		channels[channel] = true
	}
}

func (d *document) schedule(s *Schedule) {
	if s == nil {
		return
	}
	for _, bound := range []struct {
		field string
		at    *time.Time
	}{{"schedule.start", s.Start}, {"schedule.end", s.End}} {
		if bound.at != nil && (bound.at.Before(profile.MinTime) || !bound.at.Before(profile.MaxTime)) {
			d.fault(bound.field, codeOutOfRange, "a time lies between the years %d and %d", profile.MinTime.Year(), profile.MaxTime.Year())
		}
	}
	if s.Start != nil && s.End != nil && !s.Start.Before(*s.End) {
		d.fault("schedule.end", codeOrder, "the end lies after the start")
	}
}

func (d *document) cap(c *FrequencyCap) {
	if c == nil {
		return
	}
	if c.Impressions < 1 || c.Impressions > MaxCapImpressions {
		d.fault("frequencyCap.impressions", codeOutOfRange, "a cap is 1 to %d impressions", MaxCapImpressions)
	}
	if per := time.Duration(c.Per); per <= 0 || per > d.retention {
		d.fault("frequencyCap.per", codeWindow, "a cap counts over more than 0 and at most %s, which is how long user events are kept",
			printed(d.retention))
	}
}

func (d *document) holdout(h *Holdout) {
	if h == nil {
		return
	}
	hundredths := h.Percent * 100
	switch {
	case !(h.Percent >= 0 && h.Percent <= 100): // written so that NaN fails
		d.fault("holdout.percent", codeOutOfRange, "a holdout is 0 to 100 percent")
	case math.Abs(hundredths-math.Round(hundredths)) > 1e-6:
		d.fault("holdout.percent", codeOutOfRange, "a holdout has at most two decimals: users fall into 10,000 buckets")
	}
	switch {
	case h.Salt == "":
		d.fault("holdout.salt", codeMissing,
			"a holdout needs a salt: it decides which users are held out, and promotions of one salt hold out the same ones")
	case len(h.Salt) > MaxSaltBytes:
		d.fault("holdout.salt", codeTooLong, "a salt has at most %d bytes", MaxSaltBytes)
	case strings.ContainsFunc(h.Salt, unicode.IsControl): // NUL separates the parts of what is hashed
		d.fault("holdout.salt", codeMalformed, "a salt has no control characters")
	}
}

// canonical brings what is equal to one form: times in UTC, an empty payload absent.
func canonical(p Promotion) Promotion {
	if p.Schedule != nil {
		s := *p.Schedule
		s.Start, s.End = utc(s.Start), utc(s.End)
		p.Schedule = &s
	}
	if string(p.Content.Payload) == "null" {
		p.Content.Payload = nil
	}
	return p
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// ValidPromotionID reports whether id may name a promotion: it stands in URLs and file names.
func ValidPromotionID(id string) bool {
	if len(id) == 0 || len(id) > MaxPromotionIDBytes || id[0] == '-' {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func knownChannel(name string) bool {
	for _, channel := range profile.Channels {
		if channel == name {
			return true
		}
	}
	return false
}

// printed is a duration as the API writes it.
func printed(d time.Duration) string {
	text, err := Duration(d).MarshalText()
	if err != nil {
		return d.String()
	}
	return string(text)
}

// sizeJSON is the length of v as JSON, and false for what has no JSON form (a payload that is not JSON).
func sizeJSON(v any) (int, bool) {
	encoded, err := json.Marshal(v)
	return len(encoded), err == nil
}
