package embedded

import (
	"context"

	"eligibility/internal/hlc"

	"github.com/cockroachdb/pebble/v2"
)

// view is the store at one stamp: exactly the commits below it.
type view struct {
	*pebble.Snapshot
	at       hlc.Timestamp
	projects *projects
}

// view takes a fresh stamp together with Pebble's snapshot. The caller has entered and closes it.
func (s *Store) view() view {
	s.clock.await()
	s.order.RLock()
	defer s.order.RUnlock()
	return view{at: s.clock.read(), Snapshot: s.db.NewSnapshot(), projects: s.projects.Load()}
}

// reading runs read on a fresh view. Its errors are the caller's own or become profile.ErrUnavailable.
func (s *Store) reading(ctx context.Context, what string, read func(v view) error) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	v := s.view()
	defer func() { err = unavailable(what, err) }()
	defer closing(v, &err)
	return read(v)
}
