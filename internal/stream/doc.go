// Package stream tells clients that wait when to ask again: when what a user qualifies for has changed by a write, by a publication, or by the passing of time.
//
// A Hub holds one Subscription for each open connection. Changes mark the subscriptions of their user, publications those of their project, gaps all of
// them, and a timer marks one at the first instant at which time alone may change its answer. A marked subscription is looked at: the answer is computed as
// a request would have it, and only when it differs from the last one is the client told. It then asks as it always does; nothing but "ask again" is sent.
package stream
