// Package server is the decision plane: it turns HTTP requests of apps, backends and campaign senders into questions to
// the engine and writes to the store, and their results into JSON. It decides nothing itself.
//
// The way of a decision whose user is cached allocates nothing and takes no lock (law L9). Everything else is plain code:
// it may allocate, and it answers every fault as problem+json.
package server
