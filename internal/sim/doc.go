// Package sim runs the real cache, follower and relay in a world that it invents: a store, its feed, a lease, a bus and readers, and
// everything that goes wrong with them. It is for tests.
//
// A schedule is one history, and follows from its seed alone. Time is a bubble's of testing/synctest. Every call that the code under test
// makes into the world parks at a gate (gate.go), and the schedule lets one go at a time, so that the seed decides who reads, publishes
// or answers next; between two gates at most goroutines run together that do not concern each other. What the world knows of each
// snapshot that it gave out, and of each change that it handed to a replica, decides whether an answer was right (check.go).
//
// In reading order: world.go is the database, source.go, feed.go and lease.go its three faces, bus.go what lies between relays and
// replicas, replica.go a replica and relayer.go a relay, plan.go what a seed draws, step.go what may happen next, check.go what must
// hold, rest.go how a history ends, run.go the whole.
package sim
