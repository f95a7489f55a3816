// Package auditor watches the cache from outside, while it serves: it takes users that have just changed, asks this replica's own cache for them some
// time later, and compares what the cache would answer with the store. One difference means that a law was broken somewhere between the store's commit and
// the cache's floor: it is counted, logged, and the user's entry is given up.
package auditor
