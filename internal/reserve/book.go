package reserve

import (
	"context"
	"errors"
	"time"

	"eligibility/internal/hlc"
)

// Limits of reservations.
const (
	MinFor       = time.Second
	MaxFor       = 10 * time.Minute
	MaxSendID    = 200            // bytes
	MaxBatch     = 1000           // claims or settlements of one call
	MaxSends     = 1000           // reserved and confirmed sends that are kept of one user; beyond it nothing is granted
	lateKept     = 24 * time.Hour // how long a lapsed reservation is known
	nanosPerSlot = int64(time.Second)
)

// ErrTooMany: a call brought more than MaxBatch items.
var ErrTooMany = errors.New("too many sends in one call")

// Cap is a cap that a claim counts against.
type Cap struct {
	Channel   string // whose sends alone are counted; "": all
	Promotion string // likewise
	Sends     int64
	Per       time.Duration
}

// Claim asks for one send. The send id is the caller's own and names one send to one user for good: a repeat gets the same answer.
type Claim struct {
	User, SendID       string
	Promotion, Channel string
	CampaignID         int32
	For                time.Duration // MinFor to MaxFor
	Caps               []Cap
	Limit              int64 // of all sends of the promotion; 0: none
}

// Outcome is what became of a claim.
type Outcome uint8

// The outcomes.
const (
	Granted     Outcome = iota + 1
	Capped              // a cap of the user is full, reserved sends included
	Limited             // all sends of the promotion are taken, reserved ones included
	AlreadySent         // the send of this id was confirmed
	Mismatch            // the id was used for another promotion or channel
)

// Grant answers one claim.
type Grant struct {
	Outcome Outcome
	Expires int64 // of Granted: wall nanoseconds from which on the slot may be another's
	RetryAt int64 // of Capped and Limited: when a slot comes free unless it is confirmed; 0 when time alone frees none
}

// Settlement ends one send.
type Settlement struct {
	User, SendID string
	Release      bool // give it back; else confirm it
	// Sent: the message is out already. It is recorded whatever became of its slot, also when there was no reservation if Promotion and Channel are given.
	Sent               bool
	Promotion, Channel string
	CampaignID         int32
}

// State is what a settlement found or brought about.
type State string

// The states.
const (
	Confirmed State = "confirmed"
	Released  State = "released" // nothing is held under this id
	Lapsed    State = "lapsed"   // the slot is another's by now, or could be: do not send
	Unknown   State = "unknown"  // there was no such reservation, or long ago
)

// Book keeps reservations. Every call answers after all it granted and recorded is durable; the stamp is at or after its commit. Repeating a call is safe. Errors:
// ErrTooMany, profile.ErrUnavailable, profile.ErrNotDurable, ctx.Err(). Safe for concurrent use, by any number of replicas.
type Book interface {
	// Reserve answers claims[i] with grants[i], in order: earlier ones count for later ones.
	Reserve(ctx context.Context, project string, claims []Claim) ([]Grant, error)
	// Settle confirms and releases. A confirmed send becomes a user event of type profile.EventSend in the same commit.
	Settle(ctx context.Context, project string, list []Settlement) ([]State, hlc.Timestamp, error)
}
