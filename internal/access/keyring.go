package access

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"eligibility/internal/hlc"
)

// ReloadEvery is how often the keyring compares itself with the store even when nothing told it to: a lost message delays a revocation by
// this much at most.
const ReloadEvery = 5 * time.Second

// Entry is a key that is in force. It is immutable: a change of the credential makes a new Entry, so the pointer stands for one state of
// one credential, its secrets included.
type Entry struct {
	ID         string
	Project    string
	Kind       Kind
	Role       Role
	RequireJWT bool
	Demo       bool
	Suspended  bool
	Origins    []string

	sealed  [][]byte // as stored: tells whether the secrets changed
	secrets [][]byte // newest first
}

// AllowsOrigin reports whether a web page of the origin may use the key. A key that names none is for all.
func (e *Entry) AllowsOrigin(origin []byte) bool {
	for _, allowed := range e.Origins {
		if allowed == string(origin) {
			return true
		}
	}
	return len(e.Origins) == 0
}

// CredentialSource lists the stored keys. Repo is one.
type CredentialSource interface {
	Credentials(ctx context.Context) ([]Credential, hlc.Timestamp, error)
}

// Keyring answers which key a request came with. Lookup is safe for concurrent use and allocates nothing.
type Keyring struct {
	source CredentialSource
	sealer *Sealer
	logger *slog.Logger

	current atomic.Pointer[ring]
	reload  sync.Mutex // one reload at a time, so that an older listing never replaces a newer one
	asked   chan struct{}

	stop context.CancelFunc
	done chan struct{}
}

// ring is one listing of the store. It never changes.
type ring struct {
	asOf    hlc.Timestamp
	entries map[[32]byte]*Entry
	byID    map[string]*Entry
	hooks   map[string]*Hook // by project
}

// NewKeyring makes an empty keyring; Start or Reload fills it.
func NewKeyring(source CredentialSource, sealer *Sealer, logger *slog.Logger) *Keyring {
	k := &Keyring{source: source, sealer: sealer, logger: logger, asked: make(chan struct{}, 1)}
	k.current.Store(&ring{})
	return k
}

// Lookup returns the entry of a key. A revoked key is not found. The caller need not keep key.
func (k *Keyring) Lookup(key []byte) (*Entry, bool) {
	if len(key) == 0 || len(key) > MaxKeyBytes {
		return nil, false
	}
	// Looking up the hash takes a time that depends on the hash alone, of which nobody can choose a prefix.
	e, ok := k.current.Load().entries[sha256.Sum256(key)]
	return e, ok
}

// ByID returns the entry of a credential's id, for what was once given out to who showed the key. A revoked key is not found.
func (k *Keyring) ByID(id string) (*Entry, bool) {
	e, ok := k.current.Load().byID[id]
	return e, ok
}

// AsOf is when the keys in force were read.
func (k *Keyring) AsOf() hlc.Timestamp { return k.current.Load().asOf }

// Len is the number of keys in force.
func (k *Keyring) Len() int { return len(k.current.Load().entries) }

// Reload reads all keys anew. On an error the keys in force stay.
func (k *Keyring) Reload(ctx context.Context) error {
	k.reload.Lock()
	defer k.reload.Unlock()
	listed, asOf, err := k.source.Credentials(ctx)
	if err != nil {
		return fmt.Errorf("list credentials: %w", err)
	}
	old := k.current.Load()
	if asOf.Before(old.asOf) {
		return nil
	}
	next := &ring{
		asOf: asOf, entries: make(map[[32]byte]*Entry, len(listed)), byID: make(map[string]*Entry, len(listed)), hooks: make(map[string]*Hook),
	}
	for i := range listed {
		c := &listed[i]
		if c.RevokedAt != nil {
			continue
		}
		if c.Kind == PushHook {
			if h := k.hook(c); h != nil {
				next.hooks[c.Project] = h
			}
			continue
		}
		if other, taken := next.entries[c.Hash]; taken {
			k.logger.Error("two credentials have the same key", "credential_id", c.ID, "other_id", other.ID)
			continue
		}
		e, ok := old.entries[c.Hash]
		if !ok || !e.is(c) {
			e = k.entry(c)
		}
		next.entries[c.Hash], next.byID[e.ID] = e, e
	}
	k.current.Store(next)
	return nil
}

func (e *Entry) is(c *Credential) bool {
	return e.ID == c.ID && e.Project == c.Project && e.Kind == c.Kind && e.Role == c.Role &&
		e.RequireJWT == c.RequireJWT && e.Demo == c.Demo && e.Suspended == c.Suspended && slices.Equal(e.Origins, c.Origins) &&
		slices.EqualFunc(e.sealed, c.Secrets, bytes.Equal)
}

func (k *Keyring) entry(c *Credential) *Entry {
	e := &Entry{
		ID: c.ID, Project: c.Project, Kind: c.Kind, Role: c.Role, RequireJWT: c.RequireJWT, Demo: c.Demo, Suspended: c.Suspended,
		Origins: slices.Clone(c.Origins),
	}
	for _, sealed := range c.Secrets {
		e.sealed = append(e.sealed, bytes.Clone(sealed))
		secret, err := k.sealer.Open(sealed, c.Project, c.ID)
		if err != nil {
			k.logger.Error("jwt secret does not open", "project", c.Project, "credential_id", c.ID)
			continue // without a secret no token is valid: the key fails closed
		}
		e.secrets = append(e.secrets, secret)
	}
	return e
}

// Refresh asks for a reload soon and returns at once. Several calls before it happens make one reload.
func (k *Keyring) Refresh() {
	select {
	case k.asked <- struct{}{}:
	default:
	}
}

// Start reads the keys and keeps them current until Stop. Its error is that of the first read.
func (k *Keyring) Start(ctx context.Context) error {
	if err := k.Reload(ctx); err != nil {
		return err
	}
	ctx, k.stop = context.WithCancel(context.WithoutCancel(ctx))
	k.done = make(chan struct{})
	go k.keep(ctx)
	return nil
}

func (k *Keyring) keep(ctx context.Context) {
	defer close(k.done)
	tick := time.NewTicker(ReloadEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.asked:
		case <-tick.C:
		}
		bounded, cancel := context.WithTimeout(ctx, ReloadEvery)
		err := k.Reload(bounded)
		cancel()
		if err != nil && !failing && !errors.Is(err, context.Canceled) {
			k.logger.Warn("keyring reload failed, the known keys stay in force", "error", err)
		}
		failing = err != nil
	}
}

// Stop ends what Start began and waits for it. Calling it again, or without Start, does nothing.
func (k *Keyring) Stop() {
	if k.stop == nil {
		return
	}
	k.stop()
	<-k.done
}
