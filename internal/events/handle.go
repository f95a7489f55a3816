package events

import (
	"slices"

	"eligibility/internal/hlc"
)

// Batch takes in one batch. Gaps reach the sink before the changes, the changes before the watermark.
func (f *Follower) Batch(b *Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attach()
	f.count.batches.Add(1)
	now := f.cfg.Now()
	changes, sound := f.believable(b.Changes, now)
	if int(b.Partition) >= len(f.parts) {
		// A relay with other partitions: what it resolves says nothing about ours.
		f.count.undecodable.Add(1)
		f.gap(now, "unknown partition", b)
		f.apply(changes, hlc.Timestamp{})
		return
	}
	limit := now.Add(f.cfg.MaxAhead)
	sound = sound && !b.Base.After(limit) && !b.High.After(limit) && !b.Resolved.After(limit)
	if !sound {
		f.count.implausible.Add(1)
	}
	p := &f.parts[b.Partition]
	former := p.epoch
	how, at := p.advance(b, f.covered)
	switch how {
	case outdated, repeat:
		if how == repeat {
			f.count.repeats.Add(1)
		} else {
			f.count.lower.Add(1)
		}
		if !sound {
			f.gap(now, "implausible stamp", b)
		}
		f.apply(changes, hlc.Timestamp{})
		return
	case inOrder, broken, leapt:
		if former != b.Epoch && former != 0 {
			f.count.higher.Add(1)
		}
		f.settle(p, b, how, sound, former == 0, at, now)
	}
	f.apply(changes, f.resolve(p, b))
}

// settle reports what b shows to be missing. What a partition's first batch of all lacks belongs to the start: it is covered like everything
// before it, and is no gap.
func (f *Follower) settle(p *partition, b *Batch, how standing, sound, first bool, at, now hlc.Timestamp) {
	switch {
	case !sound:
		// The stamps cannot be used. What they stand for has been committed, so it is before the database's present; should our notion of
		// that be what is wrong, the next believable High covers it, and until then the partition resolves nothing.
		p.doubt = true
		f.gap(now, "implausible stamp", b)
	case p.doubt:
		p.doubt = false
		f.gap(hlc.Max(at, b.High), "after an implausible stamp", b)
	case how == broken && first, how == leapt:
		f.cover(at)
	case how == broken:
		f.gap(at, "missing batches", b)
	}
}

// resolve takes in b's resolved stamp and returns the new watermark, zero when it stays.
func (f *Follower) resolve(p *partition, b *Batch) hlc.Timestamp {
	if b.Resolved.IsZero() || p.doubt {
		return hlc.Timestamp{}
	}
	if p.resolve(b.Resolved) {
		f.count.backward.Add(1)
		return hlc.Timestamp{}
	}
	lowest := f.parts[0].resolved
	for i := range f.parts {
		lowest = hlc.Min(lowest, f.parts[i].resolved)
	}
	if !lowest.After(f.Watermark()) {
		return hlc.Timestamp{}
	}
	return lowest
}

// Hint takes in the fast lane: floors only.
func (f *Follower) Hint(h *Hint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attach()
	f.count.hints.Add(1)
	now := f.cfg.Now()
	changes, sound := f.believable(h.Changes, now)
	if !sound {
		f.count.implausible.Add(1)
		f.gap(now, "implausible stamp in a hint", &Batch{})
	}
	f.apply(changes, hlc.Timestamp{})
}

// Lost takes in that the bus cannot vouch for continuity: everything may have changed until now. What comes next is numbered, and tells
// by its own High if a change that was lost is stamped later.
func (f *Follower) Lost(why Loss) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attach()
	if why == LossUndecodable {
		f.count.undecodable.Add(1)
	} else {
		f.count.interruptions.Add(1)
	}
	f.gap(f.cfg.Now(), why.String(), &Batch{})
}

// believable is changes without those too far ahead of now. sound is false when there were any.
func (f *Follower) believable(changes []Change, now hlc.Timestamp) (plain []Change, sound bool) {
	limit := now.Add(f.cfg.MaxAhead)
	tooFar := func(c Change) bool { return c.At.After(limit) }
	if !slices.ContainsFunc(changes, tooFar) {
		return changes, true
	}
	f.plain = slices.DeleteFunc(append(f.plain[:0], changes...), tooFar)
	return f.plain, false
}

// apply hands changes and a new watermark to the sink, and shows the watermark when the sink has it.
func (f *Follower) apply(changes []Change, watermark hlc.Timestamp) {
	if len(changes) == 0 && watermark.IsZero() {
		return
	}
	f.count.changes.Add(uint64(len(changes)))
	f.sink.Apply(changes, watermark)
	if !watermark.IsZero() {
		shown := watermark // a copy of its own: a batch without a watermark allocates nothing
		f.count.watermark.Store(&shown)
	}
}

// gap reports a gap and counts it.
func (f *Follower) gap(at hlc.Timestamp, why string, b *Batch) {
	f.count.gaps.Add(1)
	f.cover(at)
	if f.gapQuiet.allow() {
		f.log.Warn("follower saw a gap", "why", why, "up_to", at, "partition", b.Partition, "epoch", b.Epoch, "seq", b.Seq,
			"gaps", f.count.gaps.Load())
	}
}

// cover tells the sink that everything up to at may have changed.
func (f *Follower) cover(at hlc.Timestamp) {
	f.covered = hlc.Max(f.covered, at)
	f.sink.Gap(at)
}
