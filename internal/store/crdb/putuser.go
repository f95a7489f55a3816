package crdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5"
)

const (
	// lockUsers reads the rows that a batch changes, and keeps other batches from changing them meanwhile. In order, so that two batches
	// queue instead of meeting head on.
	lockUsers = `SELECT user_id, attrs, consent, email, time_zone, updated_at FROM profiles WHERE project_id = $1 AND user_id = ANY ($2)
			ORDER BY user_id FOR UPDATE`
	// lockEmails does the same with the addresses that it gives or takes.
	lockEmails = `SELECT email, user_id FROM emails WHERE project_id = $1 AND email = ANY ($2) ORDER BY email FOR UPDATE`
	// transactionTime is what now() is throughout a transaction, and so the updated_at of the rows that it writes.
	transactionTime = `SELECT now()`
	deleteEmails    = `DELETE FROM emails WHERE project_id = $1 AND email = ANY ($2)`
	insertEmails    = `INSERT INTO emails (project_id, email, user_id) SELECT $1, r.e, r.u FROM unnest($2::TEXT[], $3::TEXT[]) AS r(e, u)
		ON CONFLICT (project_id, email) DO UPDATE SET user_id = excluded.user_id`
)

func putUsersStatement(d *dialect) string {
	return d.insert + ` INTO profiles (project_id, user_id, attrs, consent, email, time_zone, updated_at)
		SELECT $1, r.u, r.a::JSONB, r.c::JSONB, r.e, r.z, now() FROM unnest($2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[]) AS r(u, a, c, e, z)` +
		d.replace("project_id, user_id",
			"attrs = excluded.attrs, consent = excluded.consent, email = excluded.email, time_zone = excluded.time_zone, updated_at = excluded.updated_at")
}

// PutUsers merges the updates into the users' rows, in their order, in one transaction. Items that cannot be stored are reported with the
// codes invalid_user_id, email_taken, profile_too_large or invalid_value and change nothing. profile.ErrUnavailable, ErrAmbiguous,
// ctx.Err().
func (s *Store) PutUsers(ctx context.Context, project string, updates []profile.Update) (hlc.Timestamp, []profile.ItemError, error) {
	own, cancel := context.WithTimeout(ctx, s.cfg.WriteTimeout)
	defer cancel()
	var put, sent *userBatch // sent came as far as its commit
	stamp, err := s.doubtful(own, func(ctx context.Context, tx pgx.Tx, doubt bool) error {
		put = newUserBatch(project, updates)
		if len(put.users) == 0 {
			return nil
		}
		if err := put.read(ctx, tx); err != nil {
			return err
		}
		if doubt && sent != nil {
			if done, err := sent.happened(put); done || err != nil {
				put = sent
				return err
			}
		}
		put.merge(updates)
		if err := put.write(ctx, tx, s); err != nil {
			return err
		}
		sent = put
		return nil
	})
	if err != nil {
		return hlc.Timestamp{}, nil, outcome(ctx, "put users", err)
	}
	at, err := parseStamp(stamp)
	return at, put.refused, err
}

// user is a stored profile.
type user struct {
	attrs       map[string]json.RawMessage
	consent     map[string]bool
	email, zone string
}

// userBatch is the effect of a batch of updates so far, over what is stored.
type userBatch struct {
	project string
	invalid map[int]profile.ItemError // items that need no look at what is stored
	users   []string                  // of the others, each once, in order
	emails  []string                  // addresses that they bring
	rows    map[string]*user          // by id; what is stored, or what an earlier item made of it
	changed map[string]bool           // users with an accepted item
	holders map[string]string         // address → user; what is stored, or what an earlier item made of it; "" is nobody
	moved   map[string]bool           // addresses given or given up
	refused []profile.ItemError
	began   time.Time            // the transaction's time
	found   map[string]time.Time // by id: when the stored rows were updated
}

// happened decides, by what a later try has read, whether this one was committed. One that was must not be repeated, for others may have written since, and one
// write would take effect twice. When only others' writes are to be seen nobody can tell: ErrAmbiguous.
func (p *userBatch) happened(later *userBatch) (done bool, err error) {
	untouched := true
	for id := range p.changed {
		now := later.found[id]
		if now.Equal(p.began) {
			return true, nil
		}
		untouched = untouched && now.Equal(p.found[id])
	}
	if !untouched {
		return false, fmt.Errorf("%w: others have written since", ErrAmbiguous)
	}
	return false, nil
}

func newUserBatch(project string, updates []profile.Update) *userBatch {
	p := &userBatch{
		project: project, invalid: make(map[int]profile.ItemError), rows: make(map[string]*user, len(updates)), changed: make(map[string]bool),
		holders: make(map[string]string), moved: make(map[string]bool),
		found: make(map[string]time.Time),
	}
	for i := range updates {
		u := &updates[i]
		if fault := checkUpdate(u); fault != nil {
			fault.Index = i
			p.invalid[i] = *fault
			continue
		}
		p.users = append(p.users, u.UserID)
		if u.Email != nil && *u.Email != "" {
			p.emails = append(p.emails, strings.ToLower(*u.Email))
		}
	}
	p.users, p.emails = unique(p.users), unique(p.emails)
	for i := range updates {
		if fault, bad := p.invalid[i]; bad && len(p.users) == 0 {
			p.refused = append(p.refused, fault)
		}
	}
	return p
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// checkUpdate refuses what no column takes.
func checkUpdate(u *profile.Update) *profile.ItemError {
	if !profile.ValidUserID(u.UserID) {
		return &profile.ItemError{Code: "invalid_user_id", Detail: profile.ErrUserID.Error()}
	}
	for _, text := range []*string{u.Email, u.TimeZone} {
		if text != nil && !storableText(*text) {
			return &profile.ItemError{Code: "invalid_value", Detail: "a text holds a zero character or is not valid Unicode"}
		}
	}
	for name, value := range u.Attributes {
		if !storableText(name) {
			return &profile.ItemError{Code: "invalid_value", Detail: "the name of an attribute holds a zero character or is not valid Unicode"}
		}
		if err := storable(value); err != nil {
			return &profile.ItemError{Code: "invalid_value", Detail: fmt.Sprintf("attribute %.64q cannot be stored: %v", name, err)}
		}
	}
	for channel := range u.Consent {
		if !storableText(channel) {
			return &profile.ItemError{Code: "invalid_value", Detail: "the name of a channel holds a zero character or is not valid Unicode"}
		}
	}
	return nil
}

// read loads and locks what the batch changes.
func (p *userBatch) read(ctx context.Context, tx pgx.Tx) error {
	var batch pgx.Batch
	batch.Queue(transactionTime).QueryRow(func(row pgx.Row) error { return row.Scan(&p.began) })
	batch.Queue(lockUsers, p.project, p.users).Query(func(rows pgx.Rows) error {
		var id, email, zone string
		var attrs, consent []byte
		var updated time.Time
		_, err := pgx.ForEachRow(rows, []any{&id, &attrs, &consent, &email, &zone, &updated}, func() error {
			u := &user{attrs: decodeAttributes(attrs), consent: decodeConsent(consent), email: email, zone: zone}
			if u.consent == nil {
				u.consent = make(map[string]bool)
			}
			p.rows[id], p.found[id] = u, updated
			return nil
		})
		return err
	})
	if len(p.emails) > 0 {
		batch.Queue(lockEmails, p.project, p.emails).Query(func(rows pgx.Rows) error {
			var email, holder string
			_, err := pgx.ForEachRow(rows, []any{&email, &holder}, func() error {
				p.holders[email] = holder
				return nil
			})
			return err
		})
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// merge applies the updates in their order.
func (p *userBatch) merge(updates []profile.Update) {
	for i := range updates {
		fault, bad := p.invalid[i]
		if !bad {
			if refused := p.add(&updates[i]); refused != nil {
				fault, bad = *refused, true
			}
		}
		if bad {
			fault.Index = i
			p.refused = append(p.refused, fault)
		}
	}
}

// add applies one update or says why it cannot.
func (p *userBatch) add(u *profile.Update) *profile.ItemError {
	old := p.rows[u.UserID]
	if old == nil {
		old = &user{}
	}
	next := &user{attrs: maps.Clone(old.attrs), consent: maps.Clone(old.consent), email: old.email, zone: old.zone}
	if u.Email != nil {
		next.email = strings.ToLower(*u.Email)
		if holder := p.holders[next.email]; next.email != "" && next.email != old.email && holder != "" && holder != u.UserID {
			return &profile.ItemError{Code: "email_taken", Detail: "the e-mail address belongs to another user"}
		}
	}
	next.merge(u)
	if size := next.size(); size > profile.MaxAttributesBytes {
		detail := fmt.Sprintf("the profile would take %d bytes, the limit is %d", size, profile.MaxAttributesBytes)
		return &profile.ItemError{Code: "profile_too_large", Detail: detail}
	}
	if next.email != old.email {
		for address, holder := range map[string]string{old.email: "", next.email: u.UserID} {
			if address != "" {
				p.holders[address], p.moved[address] = holder, true
			}
		}
	}
	p.rows[u.UserID], p.changed[u.UserID] = next, true
	return nil
}

// merge applies an update to a row whose maps are its own.
func (r *user) merge(u *profile.Update) {
	if u.TimeZone != nil {
		r.zone = *u.TimeZone
	}
	if r.attrs == nil {
		r.attrs = make(map[string]json.RawMessage, len(u.Attributes))
	}
	for name, value := range u.Attributes {
		if string(value) == "null" {
			delete(r.attrs, name)
		} else {
			r.attrs[name] = value
		}
	}
	if r.consent == nil {
		r.consent = make(map[string]bool, len(u.Consent))
	}
	for channel, given := range u.Consent {
		if given == nil {
			delete(r.consent, channel)
		} else {
			r.consent[channel] = *given
		}
	}
}

// size is about how many bytes the row takes.
func (r *user) size() int {
	n := len(r.email) + len(r.zone) + 2
	for name, value := range r.attrs {
		n += len(name) + len(value) + len(`"":,`)
	}
	for channel := range r.consent {
		n += len(channel) + len(`"":false,`)
	}
	return n
}

// write stores the rows and addresses that changed.
func (p *userBatch) write(ctx context.Context, tx pgx.Tx, s *Store) error {
	var batch pgx.Batch
	if len(p.changed) > 0 {
		ids := slices.Sorted(maps.Keys(p.changed))
		columns := make([][]string, 4)
		for _, id := range ids {
			row := p.rows[id]
			attrs, attrsErr := json.Marshal(row.attrs)
			consent, consentErr := json.Marshal(row.consent)
			if err := errors.Join(attrsErr, consentErr); err != nil {
				return err
			}
			for i, text := range []string{string(attrs), string(consent), row.email, row.zone} {
				columns[i] = append(columns[i], text)
			}
		}
		batch.Queue(s.sql.putUsers, p.project, ids, columns[0], columns[1], columns[2], columns[3])
	}
	queueEmails(&batch, p.project, p.moved, p.holders)
	if batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// queueEmails stores who holds the addresses that moved.
func queueEmails(batch *pgx.Batch, project string, moved map[string]bool, holders map[string]string) {
	var freed, given, takers []string
	for _, address := range slices.Sorted(maps.Keys(moved)) {
		if holder := holders[address]; holder == "" {
			freed = append(freed, address)
		} else {
			given, takers = append(given, address), append(takers, holder)
		}
	}
	if len(freed) > 0 {
		batch.Queue(deleteEmails, project, freed)
	}
	if len(given) > 0 {
		batch.Queue(insertEmails, project, given, takers)
	}
}
