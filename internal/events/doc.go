// Package events carries "row X changed at T" from the store to every replica's cache, and says when it cannot vouch for having carried
// everything.
//
// The way is Feed (the store's ordered change stream) → Relay (one active in a cluster, stamps epoch and sequence) → bus (NATS, behind
// Publisher and Subscriber) → Follower (one in each replica, sees gaps) → Sink (floors, rulesets, keys). The package knows keys and
// timestamps, never the contents of a profile. A change is what a feed tells; a user event, something a user did, is profile.Event.
//
// Beside that way runs the Fleet: which replicas are live and which ruleset version each answers with. No answer depends on it.
package events
