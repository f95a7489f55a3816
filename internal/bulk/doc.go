// Package bulk is the plane of campaign senders: streams of users of any length, each answered with whether it may be sent to. It has a listener, limits and a share of
// the processor of its own, so that a campaign of ten million does not slow down one request of an app.
package bulk
