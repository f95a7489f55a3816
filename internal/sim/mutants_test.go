package sim

// mutants are wrong on purpose, one rule each.
func mutants() []mutant {
	const (
		cache, fill                    = "cache/cache.go", "cache/fill.go"
		loader, sink, store, valid     = "cache/loader.go", "cache/sink.go", "cache/store.go", "cache/valid.go"
		handle, follower, sequence     = "events/handle.go", "events/follower.go", "events/sequence.go"
		lane, relay, term              = "events/lane.go", "events/relay.go", "events/term.go"
		reuse, decide, live, slotCheck = "server/reuse.go", "engine/decide.go", "rules/live.go", "case e.snap.AsOf.Wall < v.slot:"
	)
	const raiseOne = "c.floors.raise(c.floors.hash(change.Table, change.Project, change.Key), change.At)"
	const drop = "c.hints.put(c.floors.hash(change.Table, change.Project, change.Key), &entry{snap: &profile.Snapshot{}})"
	importProfile := edit{sink, "\t\"eligibility/internal/hlc\"\n", "\t\"eligibility/internal/hlc\"\n\t\"eligibility/internal/profile\"\n"}
	return []mutant{
		{"no check before an entry is stored", "", []edit{
			{cache, "if _, why := valid(e, e.snap.Key, &Demand{}, &v); why != fits {", "if v.bound < 0 {"},
		}},
		{"no check of the floors when an entry is read", "", []edit{
			{
				cache, "\tif why != fits {\n\t\treturn Read{}, why\n\t}\n\treturn Read{Snapshot: e.snap, TrueAt: trueAt, Memo: &e.memo, Hit: true}, fits",
				"\tif why == slotFloor || why == globalFloor {\n\t\ttrueAt, why = hlc.Max(e.snap.AsOf, v.watermark), fits\n\t}\n" +
					"\tif why != fits {\n\t\treturn Read{}, why\n\t}\n\treturn Read{Snapshot: e.snap, TrueAt: trueAt, Memo: &e.memo, Hit: true}, fits",
			},
		}},
		{"a change deletes the entry instead of raising a floor", "", []edit{importProfile, {sink, raiseOne, drop}}},
		{"leases and deletes: a fill counts if nothing was told while it ran", "", []edit{
			importProfile,
			{sink, raiseOne, raiseOne + "\n\t\t\t" + drop},
			{valid, slotCheck, "case e.snap.AsOf.Wall < 0:"},
			{loader, "if l.wanted(c) {", "if l.wanted(c) && l.floors.highest(c.hash) == c.floorSeen {"},
		}},
		{"the row's own version stands for the time of the read", "", []edit{
			{store, "\ts.stats.batches.Add(1)\n", "\tfor _, snap := range dst {\n\t\tif snap != nil {\n\t\t\tfor slot := range 8 {\n" +
				"\t\t\t\tif events := snap.Events(slot); events.Len() > 0 {\n\t\t\t\t\tsnap.AsOf = hlc.Timestamp{Wall: events.At(events.Len() - 1)}\n\t\t\t\t}\n" +
				"\t\t\t}\n\t\t}\n\t}\n\ts.stats.batches.Add(1)\n"},
		}},
		{"the cache ignores gaps", "", []edit{{sink, "c.floors.raiseAll(at)", "_ = at"}}},
		{"the follower ignores missing numbers", "", []edit{{sequence, "if b.Seq != p.seq+1 {", "if b.Seq < p.seq {"}}},
		{"the follower ignores epochs", "", []edit{
			{sequence, "case p.seen && b.Epoch < p.epoch:\n\t\treturn outdated, at\n\tcase p.seen && b.Epoch == p.epoch && b.Seq <= p.seq:", "case p.seen && b.Seq <= p.seq:"},
			{sequence, "case p.seen && b.Epoch == p.epoch:", "case p.seen:"},
		}},
		{"the follower does not ask where a new epoch began", "", []edit{
			{sequence, "case b.Base.After(known):", "case b.Base.After(known) && b.Seq > 1:"}, {sequence, "case p.seen && b.Base.After(p.resolved):", "case false:"},
		}},
		{"the relay takes a stamp for damaged without asking the database for its time", "", []edit{
			{"events/termfeed.go", "if now, err = t.askClock(ctx); err != nil {", "if now = t.clock.Now(); err != nil {"},
		}},
		{"the cursor is saved before the bus has acknowledged", "", []edit{
			{term, "cursor := t.lanes[0].acknowledged()", "cursor := t.resolved"}, {term, "cursor = hlc.Min(cursor, l.acknowledged())", "_ = l"},
		}},
		{"one who waits takes an older load", "", []edit{
			{loader, "(!c.begun || c.floorSeen >= floor)", "(floor >= 0)"}, {fill, "if l.began == before || v.floor()", "if v.floor()"},
		}},
		{"an answer is used again past its validUntil", "server", []edit{{reuse, "now >= r.from && now < r.until && r.class", "now >= r.from && r.class"}}},
		{"an answer is used again under another ruleset", "server", []edit{{reuse, "ok && r.rs == rs && now >= r.from", "ok && now >= r.from"}}},
		{"a new constant is not seen: an answer is used again while rulesets read the same schema", "server", []edit{
			{reuse, "ok && r.rs == rs && now >= r.from", "ok && r.rs.ReadsSchema == rs.ReadsSchema && now >= r.from"},
		}},
		{"a new attribute is not seen by those who were cached before", "", []edit{
			{valid, "\tcase e.snap.SchemaVersion < d.ReadsSchema:\n\t\treturn hlc.Timestamp{}, oldSchema\n", ""},
		}},
		{"the edge of a rule that is not eligible is forgotten", "server", []edit{
			{
				decide, "d.ValidUntil = min(d.ValidUntil, until)\n\t\tif eligible {\n\t\t\td.messages = append(d.messages, candidate)\n\t\t\tshown++\n\t\t}\n",
				"if eligible {\n\t\t\td.ValidUntil = min(d.ValidUntil, until)\n\t\t\td.messages = append(d.messages, candidate)\n\t\t\tshown++\n\t\t}\n",
			},
		}},
		{"no floor rises when the stream is created anew", "", []edit{
			{handle, "\tf.gap(f.cfg.Now(), why.String(), &Batch{})", "\tif why != LossRecreated {\n\t\tf.gap(f.cfg.Now(), why.String(), &Batch{})\n\t}"},
		}},
		{"a stamp ahead of the database's time is dropped", "", []edit{{handle, "return f.plain, false", "return f.plain, true"}}},
		{"a hint is counted as a number", "", []edit{{handle, "f.count.hints.Add(1)", "f.count.hints.Add(1)\n\tf.parts[0].seq++"}}},
		{"a repeated batch moves the watermark", "", []edit{
			{handle, "\t\tf.apply(changes, hlc.Timestamp{})\n\t\treturn\n\tcase inOrder", "\t\tf.apply(changes, f.resolve(p, b))\n\t\treturn\n\tcase inOrder"},
		}},
		{"a new subscription covers nothing", "", []edit{{follower, "f.attached = true\n\tf.cover(f.cfg.Now())", "f.attached = true"}}},
		{"minAsOf is not asked for", "", []edit{{valid, "\tcase trueAt.Before(d.MinAsOf):\n\t\treturn belowMinAsOf\n", ""}}},
		{"the bound is not asked for", "", []edit{{valid, "\tcase v.now.Sub(trueAt) > v.bound:\n\t\treturn beyondBound\n", ""}}},
		{"entries live for ever", "", []edit{{valid, "\tcase v.now.Sub(e.snap.AsOf) > e.maxAge:\n\t\treturn expired\n", ""}}},
		{"a load sets the clock back", "", []edit{{store, "if asOf := dst[0].AsOf; asOf.After(s.clock.Now()) {", "if asOf := dst[0].AsOf; !asOf.IsZero() {"}}},
		{"an older ruleset replaces a newer one", "", []edit{{live, "old.Version >= rs.Version", "old.Version == rs.Version"}}},
		{"a resolved stamp overtakes the changes before it", "", []edit{{lane, "l.marks[due].after <= l.taken {", "l.marks[due].after > 0 {"}}},
		{"a cursor whose changes are gone is used all the same", "", []edit{{relay, "if cursor.After(r.unusable) && !cursor", "if !cursor.IsZero() && !cursor"}}},
	}
}
