package events

import "eligibility/internal/hlc"

// partition is what a follower knows of one partition of the bus.
type partition struct {
	seen       bool          // epoch and seq are set
	epoch, seq uint64        // of the last batch in order
	high       hlc.Timestamp // High of the last batch: it never falls within an epoch
	told       hlc.Timestamp // last resolved stamp of this epoch
	resolved   hlc.Timestamp // greatest of all: every change at or before it was applied or is covered. Only grows
	// doubt: something of this partition may be missing and no believable stamp has said up to when. Until one does, resolved stays.
	doubt bool
}

// standing is how a batch stands to what came before it.
type standing uint8

const (
	inOrder  standing = iota
	repeat            // its content was applied before
	outdated          // of a relay that was replaced
	broken            // something before it is missing
	leapt             // nothing is missing by the stamps, but its epoch began after the last gap was reported
)

// advance judges b and, unless it is a repeat or outdated, makes it the last one. covered is the greatest stamp of all gaps so far. For
// broken and leapt, at is the stamp up to which changes may be missing.
//
// No change at or below the partition's resolved stamp is missing, and none at or below covered matters. So a new epoch that sends
// everything after a Base at or below either brings all that is missing. The same holds for the first batch of all when it opens its
// epoch. Any other first batch had predecessors, sent before this replica attached; a clock elsewhere in the cluster may have stamped
// them above ours, and High tells how far.
func (p *partition) advance(b *Batch, covered hlc.Timestamp) (how standing, at hlc.Timestamp) {
	switch {
	case p.seen && b.Epoch < p.epoch:
		return outdated, at
	case p.seen && b.Epoch == p.epoch && b.Seq <= p.seq:
		if !b.High.After(p.high) {
			return repeat, at
		}
		how, at = broken, b.High // no repeat knows of a later commit: the numbers began anew
	case p.seen && b.Epoch == p.epoch:
		if b.Seq != p.seq+1 {
			how, at = broken, b.High
		}
	default:
		known := hlc.Max(p.resolved, covered)
		switch {
		case b.Base.After(known):
			how, at = broken, b.Base
		case p.seen && b.Base.After(p.resolved):
			// What was committed before Base is covered by the stamp of an earlier gap. But that stamp was an upper bound of the time then, and
			// who reads again at a gap, as the rulesets do, may have read before the commit.
			how, at = leapt, b.Base
		}
		// A higher epoch that did not begin here lost batches on the way. A first batch has only missed what the start does not cover.
		if b.Seq != 1 && (p.seen || b.High.After(known)) {
			how, at = broken, hlc.Max(at, b.High)
		}
		p.told = hlc.Timestamp{}
	}
	p.seen, p.epoch, p.seq, p.high = true, b.Epoch, b.Seq, b.High
	return how, at
}

// resolve takes in a resolved stamp of the batch just advanced to. backwards is true when it is below an earlier one of the same epoch;
// it then changes nothing.
func (p *partition) resolve(at hlc.Timestamp) (backwards bool) {
	if at.Before(p.told) {
		return true
	}
	p.told = at
	p.resolved = hlc.Max(p.resolved, at)
	return false
}
