package crdb

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const insertEvents = ` INTO user_events (project_id, user_id, event_id, name, occurred_at, props, expires_at)
	SELECT $1, r.u, r.i, r.n, r.o, r.p::JSONB, r.o + $7::INTERVAL
			FROM unnest($2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TIMESTAMPTZ[], $6::TEXT[]) AS r(u, i, n, o, p)`

// putEventsStatement writes all columns of rows with one key and no other index: CockroachDB then writes them without looking.
func putEventsStatement(d *dialect) string {
	return d.insert + insertEvents + d.replace("project_id, user_id, event_id",
		"name = excluded.name, occurred_at = excluded.occurred_at, props = excluded.props, expires_at = excluded.expires_at")
}

// putTimelessStatement is for events that come with an id and without a time: one that is stored, and has not expired, keeps its own.
const putTimelessStatement = `INSERT` + insertEvents + ` ON CONFLICT (project_id, user_id, event_id) DO UPDATE SET name = excluded.name, props = excluded.props,
	occurred_at = CASE WHEN user_events.expires_at > now() THEN user_events.occurred_at ELSE excluded.occurred_at END,
	expires_at = CASE WHEN user_events.expires_at > now() THEN user_events.expires_at ELSE excluded.expires_at END`

// PutEvents stores user events in one commit. An event replaces the one of the same (user, id), at whatever time it lies. Items that
// cannot be stored are reported with the codes invalid_user_id, event_too_large, out_of_range or invalid_value. profile.ErrUnavailable,
// ErrAmbiguous, ctx.Err().
//
// Ids are known for as long as their events are kept: a repeat of an event that has left is a new event. Times are kept to the microsecond.
func (s *Store) PutEvents(ctx context.Context, project string, batch []profile.NewEvent) (hlc.Timestamp, []profile.ItemError, error) {
	own, cancel := context.WithTimeout(ctx, s.cfg.WriteTimeout)
	defer cancel()
	put, refused := newEventBatch(batch)
	stamp, err := s.putEvents(own, project, put)
	if err != nil {
		return hlc.Timestamp{}, nil, outcome(ctx, "put events", err)
	}
	at, err := parseStamp(stamp)
	return at, refused, err
}

// putEvents stores what was accepted. Ids were made before: however often it is tried, each event is there once.
func (s *Store) putEvents(ctx context.Context, project string, put *eventBatch) (stamp string, err error) {
	if put.timed.len() == 0 && put.timeless.len() == 0 {
		at, err := s.Now(ctx)
		return at.String(), err
	}
	if put.now.IsZero() && put.anyTimeless {
		at, err := s.Now(ctx) // the time of those that bring none: the database's, for this machine's may be wrong
		if err != nil {
			return "", err
		}
		put.stamp(at.Time())
	}
	if put.timed.len() > 0 && put.timeless.len() > 0 {
		return s.transaction(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, s.sql.putEvents, put.timed.args(project, s.cfg.Retention)...); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, s.sql.putTimeless, put.timeless.args(project, s.cfg.Retention)...)
			return err
		})
	}
	text, columns := s.sql.putEvents, &put.timed
	if columns.len() == 0 {
		text, columns = s.sql.putTimeless, &put.timeless
	}
	err = s.again(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		if _, err := conn.Exec(ctx, text, columns.args(project, s.cfg.Retention)...); err != nil {
			if classify(err) == faultLost {
				return fmt.Errorf("%w: %w", errCommitLost, err)
			}
			return err
		}
		return conn.QueryRow(ctx, s.sql.stamp).Scan(&stamp)
	})
	return stamp, err
}

// checkEvent refuses what no column takes.
func checkEvent(e *profile.NewEvent) *profile.ItemError {
	switch {
	case !profile.ValidUserID(e.UserID):
		return &profile.ItemError{Code: "invalid_user_id", Detail: profile.ErrUserID.Error()}
	case e.Name == "" || len(e.Name) > profile.MaxNameBytes || !storableText(e.Name):
		return &profile.ItemError{Code: "invalid_value", Detail: fmt.Sprintf("an event's name has 1 to %d bytes of UTF-8", profile.MaxNameBytes)}
	case len(e.ID) > profile.MaxEventIDBytes || !storableText(e.ID):
		detail := fmt.Sprintf("an event's id has at most %d bytes of UTF-8", profile.MaxEventIDBytes)
		return &profile.ItemError{Code: "invalid_value", Detail: detail}
	case len(e.Properties) > profile.MaxPropertiesBytes:
		detail := fmt.Sprintf("the properties have %d bytes, the limit is %d", len(e.Properties), profile.MaxPropertiesBytes)
		return &profile.ItemError{Code: "event_too_large", Detail: detail}
	case !e.OccurredAt.IsZero() && (e.OccurredAt.Before(profile.MinTime) || !e.OccurredAt.Before(profile.MaxTime)):
		return &profile.ItemError{Code: "out_of_range", Detail: "occurredAt is out of range"}
	}
	if len(e.Properties) > 0 {
		if err := storable(e.Properties); err != nil {
			return &profile.ItemError{Code: "invalid_value", Detail: fmt.Sprintf("the properties cannot be stored: %v", err)}
		}
	}
	return nil
}

// eventBatch is the accepted events of a call, one for each (user, id).
type eventBatch struct {
	timed       eventColumns // that replace what is stored
	timeless    eventColumns // that keep the stored time
	now         time.Time    // of those that bring none
	anyTimeless bool
}

type eventKey struct{ user, id string }

// newEventBatch checks the items. Of equal ids the last counts; when it brings no time it has that of the last before it that did.
func newEventBatch(batch []profile.NewEvent) (*eventBatch, []profile.ItemError) {
	p := &eventBatch{}
	var refused []profile.ItemError
	kept := make([]profile.NewEvent, 0, len(batch))
	places := make(map[eventKey]int, len(batch))
	made := rand.Text()
	for i := range batch {
		if fault := checkEvent(&batch[i]); fault != nil {
			fault.Index = i
			refused = append(refused, *fault)
			continue
		}
		e := batch[i]
		if e.ID == "" {
			e.ID = "e-" + made + "-" + strconv.FormatInt(int64(i), 36)
			kept = append(kept, e)
			continue
		}
		key := eventKey{e.UserID, e.ID}
		if place, again := places[key]; again {
			if e.OccurredAt.IsZero() {
				e.OccurredAt = kept[place].OccurredAt
			}
			kept[place] = e
			continue
		}
		places[key] = len(kept)
		kept = append(kept, e)
	}
	p.split(kept, made)
	return p, refused
}

// split puts each event where its statement is. A made id is new: it has no stored time to keep.
func (p *eventBatch) split(kept []profile.NewEvent, made string) {
	p.timed.grow(len(kept))
	for i := range kept {
		e := &kept[i]
		to := &p.timed
		if e.OccurredAt.IsZero() {
			p.anyTimeless = true
			if len(e.ID) < 2+len(made) || e.ID[2:2+len(made)] != made {
				to = &p.timeless
			}
		}
		to.add(e)
	}
}

// stamp gives the time to events that brought none.
func (p *eventBatch) stamp(now time.Time) {
	p.now = now
	for _, columns := range []*eventColumns{&p.timed, &p.timeless} {
		for i := range columns.times {
			if columns.times[i].IsZero() {
				columns.times[i] = now
			}
		}
	}
}

// eventColumns is events as the statements take them: an array for each column.
type eventColumns struct {
	users, ids, names, props []string
	times                    []time.Time
}

func (c *eventColumns) len() int { return len(c.users) }

func (c *eventColumns) grow(n int) {
	c.users, c.ids, c.names, c.props = make([]string, 0, n), make([]string, 0, n), make([]string, 0, n), make([]string, 0, n)
	c.times = make([]time.Time, 0, n)
}

func (c *eventColumns) add(e *profile.NewEvent) {
	props := "{}"
	if len(e.Properties) > 0 {
		props = string(e.Properties)
	}
	c.users, c.ids, c.names = append(c.users, e.UserID), append(c.ids, e.ID), append(c.names, e.Name)
	c.times, c.props = append(c.times, e.OccurredAt), append(c.props, props)
}

func (c *eventColumns) args(project string, retention time.Duration) []any {
	return []any{project, c.users, c.ids, c.names, c.times, c.props, interval(retention)}
}
