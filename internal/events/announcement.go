package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Announcement is what a replica tells all others about itself, once a second and whenever a ruleset version was applied. It may be lost.
type Announcement struct {
	Replica string        `json:"replica"`
	Lag     time.Duration `json:"lagNanos"` // freshness lag; negative while the watermark is unset
	// Rules holds some of the replica's projects: what changed, or the next ones in turn.
	Rules   []AppliedRules `json:"rules,omitempty"`
	Leaving bool           `json:"leaving,omitempty"` // the last announcement of a replica that stops
}

// AppliedRules says which ruleset version of a project a replica answers with.
type AppliedRules struct {
	Project     string `json:"project"`
	Version     uint64 `json:"version"`
	Quarantined int    `json:"quarantined,omitempty"` // promotions of it that the replica could not compile
}

// Limits of an announcement.
const (
	MaxReplicaBytes      = 128
	MaxAnnouncedProjects = 512
	maxAnnouncementBytes = 256 << 10
)

// Gossip carries announcements between replicas, best effort. Declared for the fleet.
type Gossip interface {
	// Announce sends without waiting; what cannot be sent is dropped.
	Announce(a *Announcement)
	// Listen calls handle for every announcement, our own included, one call at a time, until ctx ends; then it returns nil. ready is
	// closed when it hears.
	Listen(ctx context.Context, ready chan<- struct{}, handle func(*Announcement)) error
}

// EncodeAnnouncement is a's form on the bus: JSON, so that an operator can listen in. ErrUnsendable beyond the limits.
func EncodeAnnouncement(a *Announcement) ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsendable, err)
	}
	return json.Marshal(a)
}

// DecodeAnnouncement is the inverse of EncodeAnnouncement. Fields that are not known are ignored: a newer replica may send them.
// ErrMalformed for anything else.
func DecodeAnnouncement(data []byte) (*Announcement, error) {
	if len(data) > maxAnnouncementBytes {
		return nil, fmt.Errorf("%w: %d bytes of announcement", ErrMalformed, len(data))
	}
	var a Announcement
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return &a, nil
}

func (a *Announcement) check() error {
	if a.Replica == "" || len(a.Replica) > MaxReplicaBytes {
		return fmt.Errorf("a replica's name of %d bytes, want 1 to %d", len(a.Replica), MaxReplicaBytes)
	}
	if len(a.Rules) > MaxAnnouncedProjects {
		return fmt.Errorf("%d projects announced, at most %d", len(a.Rules), MaxAnnouncedProjects)
	}
	for i := range a.Rules {
		if p := a.Rules[i].Project; p == "" || len(p) > MaxProjectBytes {
			return fmt.Errorf("a project's name of %d bytes, want 1 to %d", len(p), MaxProjectBytes)
		}
	}
	return nil
}
