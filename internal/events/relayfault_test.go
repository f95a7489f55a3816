package events

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"eligibility/internal/hlc"
)

func TestCursorTooOldInTheMiddleOfATermBeginsANewEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 2}
		r := relayOn(t, s, p, "a")
		s.commit("u1")
		s.resolve()
		after(2 * time.Second)
		stale := s.peek().cursor
		s.with(func() { s.breaks = ErrUnavailable })
		s.commit("lost")
		after(time.Hour)
		s.with(func() { s.breaks, s.tooOld = nil, s.now() })
		after(5 * time.Second)
		s.commit("u2")
		s.resolve()
		after(2 * time.Second)
		sent := p.sent()
		if got := users(sent); !slices.Equal(got, []string{"u1", "u2"}) {
			t.Errorf("sent %v, want u1 and u2", got)
		}
		newest := sent[len(sent)-1]
		if newest.Epoch < 2 || !newest.Base.After(stale) || r.Stats().CursorsTooOld != 2 {
			t.Errorf("last batch of epoch %d from %v, stats %+v; want a new epoch from after the loss", newest.Epoch, newest.Base, r.Stats())
		}
		if s.peek().cursor != s.peek().resolved {
			t.Errorf("saved cursor %v, want %v", s.peek().cursor, s.peek().resolved)
		}
	})
}

func TestALostLeaseDoesNotWaitForTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 1}
		s.lingers = make(chan struct{})
		relayOn(t, s, p, "a")
		defer close(s.lingers)
		hold := make(chan struct{})
		p.set(func() { p.hold = hold })
		s.commit("u1")
		synctest.Wait()
		s.with(func() { s.holder, s.epoch = "b", 7 })
		after(2 * time.Second)
		close(hold)
		synctest.Wait()
		if got := p.sent(); len(got) != 0 {
			t.Errorf("published %v after the lease was lost", got)
		}
	})
}

func TestBusDownBoundsMemoryAndKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions = 2
		s, p := newStore(), &pipe{partitions: partitions, down: true}
		r := relayOn(t, s, p, "a")
		all := many(40 * MaxBatchChanges)
		for part := range slices.Chunk(all, 100) {
			s.commit(part...)
			synctest.Wait()
		}
		s.resolve()
		after(time.Minute)
		limit := partitions * (laneChanges + MaxBatchChanges)
		if s.peek().yielded > limit+100 || r.Stats().Waiting > partitions*laneChanges {
			t.Errorf("%d changes taken from the feed, %d waiting; want at most %d", s.peek().yielded, r.Stats().Waiting, limit)
		}
		if r.Stats().PublishFailures == 0 || r.Stats().Resolved.After(at(1000)) {
			t.Errorf("stats %+v; the bus was not down", r.Stats())
		}
		p.set(func() { p.down = false })
		after(10 * time.Second)
		sent := p.sent()
		checkSequences(t, sent)
		for partition := range uint16(partitions) {
			mine := slices.DeleteFunc(slices.Clone(sent), func(b Batch) bool { return b.Partition != partition })
			want := slices.DeleteFunc(slices.Clone(all), func(u string) bool { return Partition("acme", u, partitions) != partition })
			if !slices.Equal(users(mine), want) {
				t.Errorf("partition %d: %d changes, in order %t; want %d in the feed's order", partition, len(users(mine)),
					slices.IsSorted(users(mine)), len(want))
			}
		}
		for _, b := range sent {
			if len(b.Changes) > MaxBatchChanges {
				t.Errorf("a batch of %d changes", len(b.Changes))
			}
		}
		if s.peek().cursor != s.peek().resolved {
			t.Errorf("cursor %v after the bus came back, want %v", s.peek().cursor, s.peek().resolved)
		}
	})
}

func TestABatchWhoseAcknowledgementWasLostIsSentAgainUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 1, deaf: true}
		relayOn(t, s, p, "a")
		s.commit("u1")
		synctest.Wait()
		s.commit("u2")
		s.resolve()
		after(time.Second)
		p.set(func() { p.deaf = false })
		after(5 * time.Second)
		sent := p.sent()
		if len(sent) < 3 {
			t.Fatalf("%d batches, want repeats", len(sent))
		}
		for i := 1; i < len(sent); i++ {
			if sent[i].Seq == sent[i-1].Seq && (!slices.Equal(sent[i].Changes, sent[i-1].Changes) || sent[i].Resolved != sent[i-1].Resolved) {
				t.Errorf("sequence number %d was used for two batches", sent[i].Seq)
			}
		}
		checkSequences(t, sent)
	})
}

func TestCrashBetweenPublishAndSaveSendsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 2}
		s.cursor = at(1000)
		s.noSave = ErrUnavailable
		first := relayOn(t, s, p, "a")
		s.commit("u1", "u2")
		s.resolve()
		after(3 * time.Second)
		first.Stop() // what it could not save is what a crash would have lost
		if first.Stats().SaveFailures == 0 {
			t.Fatal("nothing failed to be saved")
		}
		s.with(func() { s.noSave = nil })
		relayOn(t, s, p, "b")
		after(3 * time.Second)
		again := slices.DeleteFunc(p.sent(), func(b Batch) bool { return b.Epoch != 2 })
		got := users(again)
		slices.Sort(got)
		if !slices.Equal(got, []string{"u1", "u2"}) {
			t.Errorf("the second relay sent %v, want both changes again", got)
		}
		for _, b := range again {
			if b.Base != at(1000) {
				t.Errorf("the second epoch begins at %v, want %v", b.Base, at(1000))
			}
		}
		if s.peek().cursor != s.peek().resolved {
			t.Errorf("cursor %v, want %v", s.peek().cursor, s.peek().resolved)
		}
	})
}

func TestALostLeaseStopsPublishingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 1}
		r := relayOn(t, s, p, "a")
		hold := make(chan struct{})
		p.set(func() { p.hold = hold })
		s.commit("u1")
		synctest.Wait()
		s.with(func() { s.holder, s.epoch = "b", 7 }) // as when this process was suspended
		after(2 * time.Second)
		close(hold)
		synctest.Wait()
		if got := p.sent(); len(got) != 0 {
			t.Errorf("published %v after the lease was lost", got)
		}
		if got := r.Stats(); got.Leading || got.LeasesLost != 1 || s.peek().holder != "b" {
			t.Errorf("stats %+v, holder %q", got, s.peek().holder)
		}
		s.with(func() { s.holder = "" })
		p.set(func() { p.hold = nil })
		after(5 * time.Second)
		if got := r.Stats(); !got.Leading || got.Epoch != 8 {
			t.Errorf("stats %+v; want it to lead again", got)
		}
	})
}

func TestALeaseThatCannotBeRenewedForNowIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 1}
		r := relayOn(t, s, p, "a")
		s.with(func() { s.noRenew = ErrUnavailable })
		after(time.Minute)
		s.commit("u1")
		synctest.Wait()
		if !r.Stats().Leading || !slices.Equal(users(p.sent()), []string{"u1"}) {
			t.Errorf("stats %+v, sent %v; want it to go on", r.Stats(), users(p.sent()))
		}
	})
}

func TestABrokenFeedIsFollowedAgainFromTheLastResolvedStamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 1}
		r := relayOn(t, s, p, "a")
		s.commit("u1")
		s.resolve()
		synctest.Wait()
		resolved := s.peek().resolved
		after(time.Second)
		s.commit("u2")
		synctest.Wait()
		s.with(func() { s.breaks = ErrUnavailable; s.times = nil })
		after(time.Minute)
		waits := s.peek().tries
		// Waits double from 20 ms to 2 s: some 8 until the longest one, then one each 1 to 2 s.
		if waits < 30 || waits > 80 {
			t.Errorf("the feed was tried %d times in a minute", waits)
		}
		s.with(func() { s.breaks = nil })
		after(3 * time.Second)
		if got := last(s.peek().follows); got != resolved {
			t.Errorf("followed from %v, want %v", got, resolved)
		}
		if got := users(p.sent()); !slices.Equal(got, []string{"u1", "u2", "u2"}) || r.Stats().FeedRestarts == 0 || r.Stats().Terms != 1 {
			t.Errorf("sent %v, stats %+v; want u2 twice in the same term", got, r.Stats())
		}
		checkSequences(t, p.sent())
	})
}

func TestStampsFromTheFuture(t *testing.T) {
	far := hlc.Timestamp{Wall: math.MaxInt64}
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 1}
		r := relayOn(t, s, p, "a")
		s.with(func() { s.log = append(s.log, profileAt("bad", far)) })
		synctest.Wait()
		s.with(func() { s.log = append(s.log, profileAt("good", s.now().Add(1))) })
		s.resolve()
		s.with(func() { s.resolved = far })
		after(2 * time.Second)
		sent := p.sent()
		if got := users(sent); !slices.Equal(got, []string{"bad", "good"}) {
			t.Errorf("sent %v, want both", got)
		}
		for _, b := range sent {
			if b.High.After(s.peek().now) || b.Resolved.After(s.peek().now) {
				t.Errorf("high %v, resolved %v; want neither in the future", b.High, b.Resolved)
			}
		}
		if s.peek().cursor.After(s.peek().now) || r.Stats().Implausible < 2 {
			t.Errorf("cursor %v, stats %+v", s.peek().cursor, r.Stats())
		}
		s.with(func() { s.ahead, s.log[0].At = time.Hour, at(1) })
		after(2 * time.Second)
		s.commit("after the clock was set")
		synctest.Wait()
		if b := last(p.sent()); b.High.Before(b.Changes[0].At) {
			t.Errorf("high %v is below a change at %v that the database's clock has reached", b.High, b.Changes[0].At)
		}
		s.resolve()
		after(2 * time.Second)
		if s.peek().cursor != s.peek().resolved {
			t.Errorf("the database's clock went ahead by an hour: cursor %v, want %v", s.peek().cursor, s.peek().resolved)
		}
	})
}

func TestResolvedGoingBackwardsIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 1}
		r := relayOn(t, s, p, "a")
		after(time.Minute)
		s.resolve()
		synctest.Wait()
		right := s.peek().resolved
		s.with(func() { s.resolved = at(1001) })
		after(2 * time.Second)
		if s.peek().cursor != right || r.Stats().Backwards != 1 {
			t.Errorf("cursor %v, stats %+v; want %v", s.peek().cursor, r.Stats(), right)
		}
	})
}

func TestAChangeThatCannotBeCarriedIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 1}
		r := relayOn(t, s, p, "a")
		s.commit("u1")
		synctest.Wait()
		s.commit(strings.Repeat("k", MaxKeyBytes+1))
		synctest.Wait()
		s.commit("u2")
		s.resolve()
		synctest.Wait()
		now := s.peek().now
		f, sink := followerAt(t, 1, &now)
		for _, b := range p.sent() {
			f.Batch(&b)
		}
		if r.Stats().Uncarryable != 1 || f.Stats().Gaps != 1 || sink.global.Before(s.peek().log[1].At) || sink.watermark != s.peek().resolved {
			t.Errorf("relay %+v, follower %+v, global floor %v; want a gap that covers %v", r.Stats(), f.Stats(), sink.global, s.peek().log[1].At)
		}
	})
}

func TestStopDoesNotWaitForADeadBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := newStore(), &pipe{partitions: 1, down: true}
		r := relayOn(t, s, p, "a")
		s.commit(many(3 * laneChanges)...)
		after(time.Second)
		start := time.Now()
		r.Stop()
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("Stop took %v", took)
		}
		if s.peek().holder != "" {
			t.Error("the lease was not released")
		}
	})
}
