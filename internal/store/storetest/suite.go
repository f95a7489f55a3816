// Package storetest is the conformance suite of the stores: what every store promises to the rest of the engine, as tests. A store's own
// tests call Run; a store that cannot do something leaves the hook for it nil, and the tests that need it say so.
package storetest

import (
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/events"
	"eligibility/internal/profile"
	"eligibility/internal/reserve"
	"eligibility/internal/rules"
)

// Store is everything that a store does.
type Store interface {
	profile.PartialSource
	profile.Writer
	profile.Reader
	rules.Repo
	rules.Sampler
	access.Repo
	events.Feed
	events.Lease
	reserve.Book
	Close() error
}

// Harness is how the suite gets at the store under test.
type Harness struct {
	// Open returns a store that the suite may fill. It need not be empty: every test has projects of its own. The suite closes it.
	Open func(t *testing.T) Store
	// Reopen closes s and returns a store over the same data, as after a restart of the process. Nil: the store outlives its processes.
	Reopen func(t *testing.T, s Store) Store
	// WriteRow puts the text where the user's attributes are kept, as a foreign writer could. Nil: nobody else can write.
	WriteRow func(t *testing.T, s Store, user profile.Key, attributes string)
	// ForgetChanges makes the store throw away every change record up to now, as it does with old ones. Nil: it cannot be made to.
	ForgetChanges func(t *testing.T, s Store)
	// Retention is how long the opened stores keep user events.
	Retention time.Duration
	// LeaseTerm is how long a lease lives unless it is renewed. The test of its expiry waits for it.
	LeaseTerm time.Duration
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Users", testUsers},
		{"Emails", testEmails},
		{"Events", testEvents},
		{"EventLimits", testEventLimits},
		{"Load", testLoad},
		{"Parts", testParts},
		{"Sample", testSample},
		{"Time", testTime},
		{"Erasure", testErasure},
		{"Isolation", testIsolation},
		{"Observations", testObservations},
		{"Projects", testProjects},
		{"Promotions", testPromotions},
		{"Receipts", testReceipts},
		{"Reservations", testReservations},
		{"Audit", testAudit},
		{"Credentials", testCredentials},
		{"Feed", testFeed},
		{"Lease", testLease},
		{"Restart", testRestart},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, h) })
	}
}
