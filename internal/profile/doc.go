// Package profile says what a user is: the key, the project's schema of typed attributes and event types, the immutable Snapshot of
// one user at one database time, and what may be written about a user.
//
// A Snapshot is built once, when the user is loaded, by a Builder that decodes the stored row (attributes by name) into typed slots of the
// project's Schema. After that a read is an array access. Slots are only ever appended, so a snapshot of an older schema stays
// readable by every rule that was compiled against that schema or an earlier one.
package profile
