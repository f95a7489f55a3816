package rules

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"eligibility/internal/hlc"
)

// ReceiptLife is how long a request may be repeated under its idempotency key.
const ReceiptLife = 24 * time.Hour

// Receipt is what a request under an idempotency key came to. It is stored in the commit of the change that the request made, so that
// neither is ever there without the other; it is not on the feed.
type Receipt struct {
	Key      string        `json:"key"`
	Request  string        `json:"request"` // says which request it was: another one under the key is refused
	At       hlc.Timestamp `json:"at"`      // the commit's time, which the store sets
	Version  uint64        `json:"version"` // as in Applied, and the next two
	Changed  bool          `json:"changed"`
	Head     *Head         `json:"head,omitempty"`
	Revision *Revision     `json:"revision,omitempty"` // that the change wrote; a draft may be overwritten since
}

// Expired reports whether the receipt no longer counts.
func (r *Receipt) Expired(now hlc.Timestamp) bool { return now.Wall-r.At.Wall >= int64(ReceiptLife) }

// Once makes a request that may be sent twice take effect once. It is for one request.
type Once struct {
	Key      string
	Request  string // RequestDigest of what was asked
	Repeated bool   // set by the service when the request was carried out before, and nothing was written now
}

// RequestDigest is one text for what was asked.
func RequestDigest(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		inner := sha256.Sum256([]byte(part)) // of a length of its own, so that parts cannot run into each other
		sum.Write(inner[:])
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// ErrRepeated says that the idempotency key was used for another request.
var ErrRepeated = errors.New("the idempotency key belongs to another request")

// repeated looks for what the request came to when it was sent before; nil when it was not. ErrRepeated.
func (s *Service) repeated(ctx context.Context, project string, once *Once) (*Applied, error) {
	if once == nil {
		return nil, nil
	}
	receipt, err := s.repo.Receipt(ctx, project, once.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case receipt.Request != once.Request:
		return nil, ErrRepeated
	}
	once.Repeated = true
	applied := &Applied{Version: receipt.Version, Changed: receipt.Changed, Head: receipt.Head, Revision: receipt.Revision}
	if receipt.Changed {
		applied.At = receipt.At
	}
	return applied, nil
}

// receipt is what the commit leaves for a repetition of the request, nil when it is not one that may be repeated.
func (once *Once) receipt(c *Commit, applied *Applied) *Receipt {
	if once == nil {
		return nil
	}
	return &Receipt{
		Key: once.Key, Request: once.Request, Version: applied.Version, Changed: applied.Changed, Head: applied.Head, Revision: c.Revision,
	}
}

// nothing is the commit of a request that changes nothing: only its receipt, so that a repetition does not change what others have done since.
func (s *Service) nothing(ctx context.Context, project string, once *Once, version uint64) error {
	if once == nil {
		return nil
	}
	c := &Commit{Project: project, ExpectVersion: version}
	c.Receipt = once.receipt(c, &Applied{Version: version})
	_, err := s.repo.Commit(ctx, c)
	return err
}
