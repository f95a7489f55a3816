package precheck

import (
	"context"
	"fmt"

	"eligibility/internal/cache"
	"eligibility/internal/engine"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
	"eligibility/internal/reserve"
	"eligibility/internal/rules"
)

// ChunkUsers is how many users are held at once: a chunk is the unit of memory and of sending. A stream reads and answers it in slices.
const ChunkUsers = 256

// CodeUserID is the fault of an id that cannot name a user.
const CodeUserID = "invalid_user_id"

// Users reads snapshots in bulk; the cache is one. dst[i] is filled for keys[i].
type Users interface {
	GetMany(ctx context.Context, keys []profile.Key, d *cache.Demand, dst []cache.Read) error
}

// Job is one question: may this promotion be sent on this channel.
type Job struct {
	Ruleset   *rules.Ruleset
	Promotion *rules.Compiled // of Ruleset; nil when this replica has quarantined it and keeps no older revision
	Channel   string          // one of profile.Channels
	Users     Users
	Book      reserve.Book  // where sends are reserved; needed for lines that ask for it
	Clock     *hlc.Estimate // the database's clock

	// Withdrawn, when not nil, is asked before each slice: a reason other than "" is the answer for all of it. Rules are pinned for a whole run; a
	// pause is not, for it is how somebody stops a send.
	Withdrawn func() rules.Reason

	// Turn, when not nil, has each slice of a chunk read and answered, yield included: it shares a processor among campaigns.
	Turn Turn
}

// Line is the answer for one user.
type Line struct {
	UserID   string
	Number   int64        // of the line in a stream; 0 elsewhere
	Fault    string       // a code when the user could not be looked at, "" otherwise
	Reserve  *Reservation // what the line asks to reserve, nil for nothing
	Expires  int64        // of a reservation that was made: wall nanoseconds from which on its slot may be another's
	Eligible bool
	Reason   rules.Reason
	Warning  rules.Reason // with an eligible user, what may still keep the message from arriving; "" for nothing known
	RetryAt  int64        // wall nanoseconds of when a user who is not eligible may become so by time alone; rules.Forever when never
}

// Summary counts the lines of a run and says what they rest on.
type Summary struct {
	Total, Eligible, Failed int
	Reasons                 map[rules.Reason]int // why users are not eligible
	RulesVersion            uint64
	OldestAsOf              hlc.Timestamp // zero when nobody was read
}

// Run answers for each distinct id once, in the order of their first appearance, by calling yield. It ends early, with the
// error, when users cannot be read or when yield fails; a caller that has shown lines by then must let its reader see that
// the rest is missing.
func Run(ctx context.Context, job *Job, ids []string, yield func(*Line) error) (Summary, error) {
	r := run{job: job, yield: yield, seen: make(map[string]struct{}, len(ids))}
	r.sum = Summary{Reasons: make(map[rules.Reason]int), RulesVersion: job.Ruleset.Version}
	for len(ids) > 0 {
		n := min(len(ids), ChunkUsers)
		if err := r.chunk(ctx, ids[:n]); err != nil {
			return r.sum, err
		}
		ids = ids[n:]
	}
	return r.sum, nil
}

// run is the memory of one Run.
type run struct {
	job     *Job
	yield   func(*Line) error
	seen    map[string]struct{} // nil: ids are answered as often as they come
	asked   []Line              // of a chunk
	keys    []profile.Key
	reads   []cache.Read
	only    *profile.Projection // what the question needs to know of a user; nil until somebody is read
	lines   []Line              // of a slice of it
	slice   Slice
	sum     Summary
	checker engine.Checker

	withdrawn rules.Reason // for all of the slice; "" for nothing
	now       int64        // of the slice: wall nanoseconds

	claims  []reserve.Claim
	claimed []*Line       // of lines, those of claims
	counted []reserve.Cap // nil until asked for
}

func (r *run) chunk(ctx context.Context, ids []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.asked = r.asked[:0]
	for _, id := range ids {
		if _, again := r.seen[id]; again {
			continue
		}
		r.seen[id] = struct{}{}
		r.asked = append(r.asked, Line{UserID: id})
	}
	return r.turns(ctx)
}

// turns answers what is asked.
func (r *run) turns(ctx context.Context) error {
	for rest := r.asked; len(rest) > 0; {
		n, err := r.turn(ctx, rest)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// begin starts a chunk or a slice of one, ask adds a user to it, and end answers it.
func (r *run) begin() {
	r.keys, r.lines, r.withdrawn = r.keys[:0], r.lines[:0], ""
	if r.job.Withdrawn != nil {
		r.withdrawn = r.job.Withdrawn()
	}
}

func (r *run) ask(line Line) {
	line.RetryAt = rules.Forever
	switch {
	case line.Fault != "":
	case !profile.ValidUserID(line.UserID):
		line.Fault = CodeUserID
	case line.Reserve != nil && !line.Reserve.valid(r.job.Channel):
		line.Fault = CodeReservation
	case r.job.Promotion == nil:
		line.Reason = rules.ReasonQuarantined
	default:
		if line.Reason = r.withdrawn; line.Reason == "" {
			r.keys = append(r.keys, profile.Key{Project: r.job.Ruleset.Project, User: line.UserID})
		}
	}
	r.lines = append(r.lines, line)
}

func (r *run) end(ctx context.Context) error {
	if err := r.read(ctx); err != nil {
		return err
	}
	return r.answer(ctx)
}

func (r *run) read(ctx context.Context) error {
	if len(r.keys) == 0 {
		return nil
	}
	if cap(r.reads) < len(r.keys) {
		r.reads = make([]cache.Read, ChunkUsers)
	}
	r.reads = r.reads[:len(r.keys)]
	if r.only == nil {
		r.only = engine.Reads(r.job.Ruleset, r.job.Promotion, r.job.Channel)
	}
	demand := cache.Demand{ReadsSchema: r.job.Ruleset.ReadsSchema, NoStore: true, Only: r.only}
	if err := r.job.Users.GetMany(ctx, r.keys, &demand, r.reads); err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	return nil
}

// answer completes the lines of a chunk, whose readable users stand in keys and reads in the same order, and yields them.
func (r *run) answer(ctx context.Context) error {
	next := 0
	r.now = r.job.Clock.Now().Wall
	for i := range r.lines {
		line := &r.lines[i]
		if line.Fault == "" && line.Reason == "" {
			r.decide(line, &r.reads[next])
			next++
		}
	}
	if err := r.reserve(ctx); err != nil {
		return err
	}
	for i := range r.lines {
		line := &r.lines[i]
		r.count(line)
		if err := r.yield(line); err != nil {
			return err
		}
	}
	clear(r.reads) // keeps no user longer than its chunk
	return nil
}

func (r *run) decide(line *Line, read *cache.Read) {
	if r.sum.OldestAsOf.IsZero() || read.TrueAt.Before(r.sum.OldestAsOf) {
		r.sum.OldestAsOf = read.TrueAt
	}
	request := engine.Request{Channel: r.job.Channel, Now: max(r.now, read.Snapshot.AsOf.Wall)}
	outcome := r.checker.Check(r.job.Ruleset, read.Snapshot, &request, r.job.Promotion)
	line.Eligible, line.Reason, line.Warning = outcome.Eligible, outcome.Reason, outcome.Warning
	if !outcome.Eligible {
		line.RetryAt = outcome.ValidUntil
	}
}

func (r *run) count(line *Line) {
	r.sum.Total++
	switch {
	case line.Fault != "":
		r.sum.Failed++
	case line.Eligible:
		r.sum.Eligible++
	default:
		r.sum.Reasons[line.Reason]++
	}
}
