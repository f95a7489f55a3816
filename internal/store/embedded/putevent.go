package embedded

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/profile"
)

// PutEvents stores user events in one commit. An event replaces the one of the same (user, id), wherever it lay. Items that cannot be
// stored are reported with the codes invalid_user_id, event_too_large, out_of_range or invalid_value.
//
// Ids are known for as long as their events are kept: a repeat of an event that has left is a new event.
func (s *Store) PutEvents(ctx context.Context, project string, batch []profile.NewEvent) (hlc.Timestamp, []profile.ItemError, error) {
	if err := s.beginWrite(ctx); err != nil {
		return hlc.Timestamp{}, nil, err
	}
	stamp := s.now()
	put := eventBatch{store: s, project: project, stamp: stamp.Wall, c: s.newCommit(), users: make(map[string]bool)}
	var refused []profile.ItemError
	for i := range batch {
		if fault := checkEvent(&batch[i]); fault != nil {
			fault.Index = i
			refused = append(refused, *fault)
			continue
		}
		if err := put.add(&batch[i], i); err != nil {
			put.c.drop()
			s.abort()
			return hlc.Timestamp{}, nil, fmt.Errorf("put events: %w: %w", profile.ErrUnavailable, err)
		}
	}
	if put.c.batch.Empty() {
		put.c.drop()
		s.abort()
		return stamp, refused, nil
	}
	at, err := s.commit(put.c)
	if err != nil {
		return hlc.Timestamp{}, nil, fmt.Errorf("put events: %w", err)
	}
	return at, refused, nil
}

func checkEvent(e *profile.NewEvent) *profile.ItemError {
	switch {
	case !profile.ValidUserID(e.UserID):
		return &profile.ItemError{Code: "invalid_user_id", Detail: profile.ErrUserID.Error()}
	case e.Name == "" || len(e.Name) > profile.MaxNameBytes:
		return &profile.ItemError{Code: "invalid_value", Detail: fmt.Sprintf("an event's name has 1 to %d bytes", profile.MaxNameBytes)}
	case len(e.ID) > profile.MaxEventIDBytes:
		return &profile.ItemError{Code: "invalid_value", Detail: fmt.Sprintf("an event's id has at most %d bytes", profile.MaxEventIDBytes)}
	case len(e.Properties) > profile.MaxPropertiesBytes:
		detail := fmt.Sprintf("the properties have %d bytes, the limit is %d", len(e.Properties), profile.MaxPropertiesBytes)
		return &profile.ItemError{Code: "event_too_large", Detail: detail}
	case len(e.Properties) > 0 && !json.Valid(e.Properties):
		return &profile.ItemError{Code: "invalid_value", Detail: "the properties are not valid JSON"}
	case !e.OccurredAt.IsZero() && (e.OccurredAt.Before(profile.MinTime) || !e.OccurredAt.Before(profile.MaxTime)):
		return &profile.ItemError{Code: "out_of_range", Detail: "occurredAt is out of range"}
	}
	return nil
}

// eventBatch is the effect of a batch of events so far.
type eventBatch struct {
	store   *Store
	project string
	stamp   int64 // taken at the start of the call: the time of events that bring none, and what makes new ids unique
	c       *commit
	users   map[string]bool // with a change record
	placed  map[string]place
	user    []byte // scratch: the user's prefix
	key     []byte
	value   []byte
}

// place is where the event of an id lies.
type place struct {
	eventType string
	at        int64
}

func (p *eventBatch) add(e *profile.NewEvent, index int) error {
	p.user = appendUser(p.user[:0], p.project, e.UserID)
	id, now := e.ID, place{eventType: e.Name, at: p.stamp}
	if !e.OccurredAt.IsZero() {
		now.at = e.OccurredAt.UnixNano()
	}
	if id == "" {
		id = "e-" + strconv.FormatInt(p.stamp, 36) + "-" + strconv.FormatInt(int64(index), 36)
	} else {
		old, known, err := p.find(id)
		if err != nil {
			return err
		}
		if known {
			if e.OccurredAt.IsZero() {
				now.at = old.at
			}
			if old != now {
				p.key = appendEvent(appendType(append(p.key[:0], p.user...), old.eventType), old.at, id)
				if err := p.c.batch.Delete(p.key, nil); err != nil {
					return err
				}
			}
		}
		if p.placed == nil {
			p.placed = make(map[string]place)
		}
		p.placed[string(appendID(p.user, id))] = now
	}
	p.key = appendEvent(appendType(append(p.key[:0], p.user...), e.Name), now.at, id)
	if err := p.c.batch.Set(p.key, e.Properties, nil); err != nil {
		return err
	}
	p.key = appendID(append(p.key[:0], p.user...), id)
	p.value = now.encode(p.value[:0])
	if err := p.c.batch.Set(p.key, p.value, nil); err != nil {
		return err
	}
	if !p.users[e.UserID] {
		p.users[e.UserID] = true
		p.c.change(events.TableProfile, p.project, e.UserID)
	}
	return nil
}

// find says where the event of the id lies, after the earlier items of this batch.
func (p *eventBatch) find(id string) (place, bool, error) {
	p.key = appendID(append(p.key[:0], p.user...), id)
	if at, ok := p.placed[string(p.key)]; ok {
		return at, true, nil
	}
	value, ok, err := get(p.store.db, p.key)
	if err != nil || !ok {
		return place{}, false, err
	}
	at, err := decodePlace(value)
	return at, err == nil, err
}

func (p place) encode(dst []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(p.at)), p.eventType...)
}

func decodePlace(value []byte) (place, error) {
	if len(value) < 8 {
		return place{}, errKey
	}
	return place{eventType: string(value[8:]), at: int64(binary.BigEndian.Uint64(value))}, nil
}

// retained is the time at and before which events no longer count.
func (s *Store) retained(now int64) int64 { return now - int64(s.cfg.Retention/time.Nanosecond) }
