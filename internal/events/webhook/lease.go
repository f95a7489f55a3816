package webhook

import (
	"context"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
)

// Fresh is the lease of a relay that is fed by a webhook: every term begins from the database's present, never from a saved cursor. Cursors are
// saved all the same, so that a relay which reads the changefeed itself can take over from there.
func Fresh(lease events.Lease) events.Lease { return fresh{lease} }

type fresh struct{ events.Lease }

// Acquire hides the cursor.
func (f fresh) Acquire(ctx context.Context, holder string) (epoch uint64, cursor hlc.Timestamp, err error) {
	epoch, _, err = f.Lease.Acquire(ctx, holder)
	return epoch, hlc.Timestamp{}, err
}
