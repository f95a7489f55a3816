// Package webhook is the other way in for changes: instead of the relay reading a changefeed, the database's changefeed job sends it here over
// HTTPS.
//
// The database forgets what was answered with 2xx, so that is the answer only once the bus has acknowledged it. Only the process that leads
// takes anything in; the others answer 503, and the job tries again until it finds the one that does. The job's place in the past and our
// cursor are two things: what a former leader has acknowledged does not come again, so every term begins from the database's present, where
// followers assume once that everything changed. See Fresh.
package webhook
