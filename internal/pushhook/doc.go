// Package pushhook tells a project's push sender that a user's answer is another one: it posts a signed message with the silent push that
// has the user's app ask again.
//
// A Watch holds the users whom apps asked for lately and learns through a stream.Hub when their answers change. A Sender keeps what is to
// be posted, at most one message for each user, and posts it with retries; what it gives up is kept as a dead letter. A Guard decides which
// addresses may be spoken to at all, when the connection is made: a hook's URL comes from a customer, and must not reach into the
// operator's network.
package pushhook
