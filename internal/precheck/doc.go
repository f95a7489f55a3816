// Package precheck answers, for many users at once, whether one promotion may be sent to them on one channel now. One call uses one
// ruleset from its first user to its last, and reads every user as of the present, never stale (law L4).
package precheck
