// Package traffic is simulated shoppers who use a replica as a real app would: over HTTP, with the demo's keys, opening the app, looking,
// buying and asking which messages to show. It keeps an eye on some of them and tells whenever one of them gains or loses a promotion, and
// why. Of time-driven changes it learns as an SDK does: by asking again at validUntil.
package traffic
