// Package standin makes a PostgreSQL stand in for CockroachDB in tests. It is no part of the product.
//
// CockroachDB gives every commit a stamp, lets a read know its own, and streams changes in the order of stamps. PostgreSQL has none of
// this; one row does it all: hlc_clock, which every write transaction advances before anything else and holds until it ends. So commits
// happen in the order of their stamps, a reader's snapshot contains exactly the commits at or before the clock that it sees, and a tick
// of nothing but the clock is a resolved stamp. Triggers call the clock and write what changed to the table hlc_outbox, as the changefeed
// would print it. All writers stand in one line: some hundred commits a second, for tests only.
package standin
