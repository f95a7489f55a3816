package events

import "eligibility/internal/hlc"

// Fanout is a Sink that hands everything to several, in the given order: each is done with a call before the next one gets it. Put the
// cache first: its floors are what makes old snapshots unusable; a ruleset reload that is noted a microsecond later only starts later.
type Fanout []Sink

var _ Sink = Fanout(nil)

// Apply forwards changes and watermark.
func (f Fanout) Apply(changes []Change, watermark hlc.Timestamp) {
	for _, sink := range f {
		sink.Apply(changes, watermark)
	}
}

// Gap forwards a gap.
func (f Fanout) Gap(at hlc.Timestamp) {
	for _, sink := range f {
		sink.Gap(at)
	}
}
