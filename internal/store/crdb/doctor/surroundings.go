package doctor

import (
	"fmt"
	"strings"
)

// SchemaFacts says how far the migrations of a database have come. Whoever owns the migrations fills them in.
type SchemaFacts struct {
	Applied, Known int // versions
	Err            error
}

// Judge compares the database's schema with the build's. It is pure.
func (s *SchemaFacts) Judge() []Check {
	const id, title, why = "migrations", "migrations", "replicas refuse to start on an older schema than they need"
	j := &judge{area: "database"}
	switch seen := fmt.Sprintf("version %d, this build knows %d", s.Applied, s.Known); {
	case s.Err != nil:
		j.add(id, title, Fail, s.Err.Error(), why, "eligibility migrate status")
	case s.Applied < s.Known:
		j.add(id, title, Fail, seen, why, "eligibility migrate up")
	case s.Applied > s.Known:
		j.add(id, title, Warn, seen, why, "roll this binary forward: the database belongs to a newer one")
	default:
		j.add(id, title, OK, seen, why, "")
	}
	return j.checks
}

// BusFacts is what a bus told about itself. Whoever speaks to the bus fills them in.
type BusFacts struct {
	Server      string   // name and version
	Err         error    // not reachable; the rest is empty then
	JetStream   error    // why it cannot be used; nil: it can
	MaxPayload  int64    // bytes that the server takes in one message
	NeedPayload int64    // bytes of the largest message of the engine
	Stream      string   // its name
	Missing     bool     // no stream yet; the first process makes it
	Differences []string // what keeps the stream from being the engine's: "discard: new, want old"
}

// Judge holds the facts against what the engine needs. It is pure.
func (b *BusFacts) Judge() []Check {
	j := &judge{area: "bus"}
	const whyReach = "changes reach replicas by it; without, they read the database each time"
	if b.Err != nil {
		j.add("bus", "connection", Fail, b.Err.Error(), whyReach, "look at --nats, the credentials and the network")
		return j.checks
	}
	j.add("bus", "connection", OK, b.Server, whyReach, "")

	const whyPayload = "a batch of 512 changes must fit into one message"
	seen := fmt.Sprintf("%d bytes, a full batch needs %d", b.MaxPayload, b.NeedPayload)
	if b.MaxPayload < b.NeedPayload {
		j.add("bus_payload", "max_payload", Fail, seen, whyPayload, fmt.Sprintf("set max_payload: %d in the servers' configuration", b.NeedPayload))
	} else {
		j.add("bus_payload", "max_payload", OK, seen, whyPayload, "")
	}

	const whyJetStream = "it keeps messages for replicas that are away for a moment"
	if b.JetStream != nil {
		j.add("jetstream", "JetStream", Fail, b.JetStream.Error(), whyJetStream,
			"put a jetstream {} block into the servers' configuration, and allow this user to use it")
		return j.checks
	}
	j.add("jetstream", "JetStream", OK, "on", whyJetStream, "")

	const whyStream = "a stream that keeps messages by other rules loses changes, or refuses them"
	if b.Missing {
		j.add("stream", "stream "+b.Stream, OK, "not there yet; the first relay or replica makes it", whyStream, "")
		return j.checks
	}
	if len(b.Differences) > 0 {
		j.add("stream", "stream "+b.Stream, Fail, strings.Join(b.Differences, "; "), whyStream,
			"stop every relay and replica, then: nats stream rm "+b.Stream+"; it is made again, and only a moment of cached users is lost")
		return j.checks
	}
	j.add("stream", "stream "+b.Stream, OK, "as the engine makes it", whyStream, "")
	return j.checks
}
