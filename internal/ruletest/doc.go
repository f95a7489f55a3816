// Package ruletest runs the tests of a folder of promotions: made-up users at fixed instants, held against what their authors expect of them. It decides with the
// engine itself, on the same snapshots and rulesets as a server, without one.
package ruletest
