// Package engine makes decisions: a pure function of a ruleset, a snapshot and a request. It does no I/O, starts no goroutine, reads no clock
// and cannot fail.
package engine
