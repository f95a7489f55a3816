// Package natsbus is the bus of the events package on NATS: changes on a JetStream stream, hints and announcements on plain subjects, and
// the NATS server that embedded mode runs inside the process.
//
// The stream only makes short disconnects cheap. It may lose messages, acknowledged ones included; the subscriber says so when it sees
// it, the follower sees the rest by epoch and sequence, and the changefeed's cursor is what nothing is lost from.
package natsbus
