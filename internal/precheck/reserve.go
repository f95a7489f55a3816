package precheck

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"eligibility/internal/reserve"
	"eligibility/internal/rules"
)

// Faults of a line that asks for a reservation.
const (
	CodeReservation  = "invalid_reservation" // not {"sendId":"…","for":"60s"} within the limits, or on the channel embedded
	CodeSendConflict = "send_id_conflict"    // the send id was used for another promotion or channel
)

// defaultFor is how long a reservation holds that does not say.
const defaultFor = time.Minute

// Ask is one line with what may be reserved for its user.
type Ask struct {
	UserID  string       `json:"userId"`
	Reserve *Reservation `json:"reserve,omitempty"`
}

// Reservation asks that the send be counted against the caps at once, if the user is eligible.
type Reservation struct {
	SendID string         `json:"sendId"` // the caller's own name of this send to this user
	For    rules.Duration `json:"for"`    // absent: a minute
}

// valid fills what is left out and reports whether the reservation can be made on the channel.
func (a *Reservation) valid(channel string) bool {
	if a.For == 0 {
		a.For = rules.Duration(defaultFor)
	}
	lasts := time.Duration(a.For)
	return ValidSendID(a.SendID) && lasts >= reserve.MinFor && lasts <= reserve.MaxFor && channel != "embedded"
}

// ValidSendID reports whether id can name a send: 1 to reserve.MaxSendID bytes of UTF-8 without control characters.
func ValidSendID(id string) bool {
	return id != "" && len(id) <= reserve.MaxSendID && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// Reserve is Run for lines that may ask for reservations. Each line is answered, repeated users too: a send id is what makes a repetition one.
func Reserve(ctx context.Context, job *Job, asks []Ask, yield func(*Line) error) (Summary, error) {
	r := run{job: job, yield: yield, sum: Summary{Reasons: make(map[rules.Reason]int), RulesVersion: job.Ruleset.Version}}
	for len(asks) > 0 {
		n := min(len(asks), ChunkUsers)
		if err := ctx.Err(); err != nil {
			return r.sum, err
		}
		r.asked = r.asked[:0]
		for i := range asks[:n] {
			r.asked = append(r.asked, Line{UserID: asks[i].UserID, Reserve: asks[i].Reserve})
		}
		if err := r.turns(ctx); err != nil {
			return r.sum, err
		}
		asks = asks[n:]
	}
	return r.sum, nil
}

// reserve books the sends of the slice's eligible users who ask for it. What was eligible by the snapshot alone is so only if its slot is granted.
func (r *run) reserve(ctx context.Context) error {
	r.claims, r.claimed = r.claims[:0], r.claimed[:0]
	for i := range r.lines {
		line := &r.lines[i]
		if line.Reserve == nil || !line.Eligible {
			continue
		}
		r.claimed = append(r.claimed, line)
		r.claims = append(r.claims, reserve.Claim{
			User: line.UserID, SendID: line.Reserve.SendID, Promotion: r.job.Promotion.ID, Channel: r.job.Channel, CampaignID: r.job.Promotion.CampaignID,
			For: time.Duration(line.Reserve.For), Caps: r.caps(), Limit: r.job.Promotion.Sending().Limit,
		})
	}
	if len(r.claims) == 0 {
		return nil
	}
	grants, err := r.job.Book.Reserve(ctx, r.job.Ruleset.Project, r.claims)
	if err != nil {
		return fmt.Errorf("reserve sends: %w", err)
	}
	for i := range grants {
		r.claimed[i].granted(&grants[i])
	}
	return nil
}

// caps are those that hold for the job's sends, the same for every claim.
func (r *run) caps() []reserve.Cap {
	if r.counted != nil {
		return r.counted
	}
	r.counted = []reserve.Cap{}
	for _, of := range []*rules.Sending{r.job.Ruleset.Sending(), r.job.Promotion.Sending()} {
		for _, c := range of.Caps {
			if c.Channel == "" || c.Channel == r.job.Channel {
				r.counted = append(r.counted, reserve.Cap{Channel: c.Channel, Promotion: c.Promotion, Sends: c.Sends, Per: time.Duration(c.Per)})
			}
		}
	}
	return r.counted
}

// granted puts the book's answer into the line.
func (l *Line) granted(g *reserve.Grant) {
	if g.Outcome == reserve.Granted {
		l.Expires = g.Expires
		return
	}
	l.Eligible, l.Warning = false, ""
	if g.RetryAt != 0 {
		l.RetryAt = g.RetryAt
	}
	switch g.Outcome {
	case reserve.Capped:
		l.Reason = rules.ReasonSendCap
	case reserve.Limited:
		l.Reason = rules.ReasonSendLimit
	case reserve.AlreadySent:
		l.Reason = rules.ReasonAlreadySent
	default:
		l.Fault = CodeSendConflict
	}
}
