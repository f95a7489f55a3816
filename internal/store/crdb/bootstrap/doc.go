// Package bootstrap makes a cluster as a document declares it: the database, roles with the least privileges that each duty needs, users
// with passwords that were hashed elsewhere, cluster settings, garbage collection and audit.
//
// The order of the work is always the same. Read gives a Document and every fault in it. A Cluster reads the State that there is. Compare
// holds one against the other and gives a Plan: pure, so that what is about to be done can be shown, reviewed and tested without doing it.
// Apply executes a plan statement by statement, reads the state again and says what still differs.
//
// Nothing that the document does not name is taken away: privileges and members beyond it are reported and left. Password hashes are never
// part of a plan's text, of an error or of a log line.
package bootstrap
