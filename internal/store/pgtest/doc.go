// Package pgtest runs a real PostgreSQL for the tests of other rooms: a server of its own on a free loopback port, in a temporary
// directory, that ends with the test process.
//
// PostgreSQL stands in for CockroachDB there (see docs/decisions/0010): it shares the wire protocol and nearly all of the SQL. Where no
// PostgreSQL is installed the test that asked for it says so and is skipped; with the environment variable CI=true it fails.
package pgtest
