package natsbus

import "sync/atomic"

// Stats is what a bus has done since it was made.
type Stats struct {
	Published       uint64 // batches the stream has taken
	PublishedBytes  uint64
	PublishFailures uint64 // attempts that failed
	Delivered       uint64 // messages of the stream handed over
	DeliveredBytes  uint64
	HintsSent       uint64
	HintsDropped    uint64
	HintsReceived   uint64
	Announced       uint64 // announcements sent
	AnnounceDropped uint64
	Disconnects     uint64
	Reconnects      uint64
	Resumes         uint64 // times a subscription was begun anew where it stood
	Overflows       uint64 // times the local buffer was full
	Discarded       uint64 // losses, by kind
	Recreated       uint64
	Undecodable     uint64
	Results         uint64 // messages of audience results that their stream has taken
	ResultBytes     uint64
	ResultFailures  uint64 // attempts that failed
	ResultRepeats   uint64 // attempts that the stream knew by their id
	StreamsCreated  uint64
	Connected       bool
}

type counters struct {
	published, publishedBytes, publishFailures  atomic.Uint64
	delivered, deliveredBytes                   atomic.Uint64
	hintsSent, hintsDropped, hintsReceived      atomic.Uint64
	announced, announceDropped                  atomic.Uint64
	disconnects, reconnects, resumes, overflows atomic.Uint64
	discarded, recreated, undecodable           atomic.Uint64
	results, resultBytes, resultFailures        atomic.Uint64
	resultRepeats                               atomic.Uint64
	streamsCreated                              atomic.Uint64
}

// Stats is a snapshot; its parts are not taken at one instant.
func (b *Bus) Stats() Stats {
	c := &b.count
	return Stats{
		Published: c.published.Load(), PublishedBytes: c.publishedBytes.Load(), PublishFailures: c.publishFailures.Load(),
		Delivered: c.delivered.Load(), DeliveredBytes: c.deliveredBytes.Load(),
		HintsSent: c.hintsSent.Load(), HintsDropped: c.hintsDropped.Load(), HintsReceived: c.hintsReceived.Load(),
		Announced: c.announced.Load(), AnnounceDropped: c.announceDropped.Load(),
		Disconnects: c.disconnects.Load(), Reconnects: c.reconnects.Load(), Resumes: c.resumes.Load(), Overflows: c.overflows.Load(),
		Discarded: c.discarded.Load(), Recreated: c.recreated.Load(), Undecodable: c.undecodable.Load(),
		Results: c.results.Load(), ResultBytes: c.resultBytes.Load(), ResultFailures: c.resultFailures.Load(), ResultRepeats: c.resultRepeats.Load(),
		StreamsCreated: c.streamsCreated.Load(), Connected: b.conn.IsConnected(),
	}
}
