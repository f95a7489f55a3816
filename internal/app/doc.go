// Package app builds the object graph of one replica from its Config and owns the order in which the parts start and stop. End-to-end tests start
// it for real; the command line only fills the Config.
package app
