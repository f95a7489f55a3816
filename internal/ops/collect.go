package ops

import (
	"eligibility/internal/auditor"
	"eligibility/internal/bulk"
	"eligibility/internal/cache"
	"eligibility/internal/events"
	"eligibility/internal/pushhook"
	"eligibility/internal/rules"
	"eligibility/internal/stream"
)

// Cache reads a cache.
func Cache(c *cache.Cache) Collector {
	return func(s *Samples) {
		stats := c.Stats()
		s.Count(&CacheHits, stats.Hits)
		for cause, n := range map[string]uint64{
			"absent": stats.Misses.Absent, "schema": stats.Misses.Schema, "global_floor": stats.Misses.GlobalFloor, "floor": stats.Misses.Floor,
			"expired": stats.Misses.Expired, "bound": stats.Misses.Bound, "min_as_of": stats.Misses.MinAsOf,
		} {
			s.Count(&CacheMisses, n, cause)
		}
		s.Count(&CacheFalse, stats.FalseInvalidations)
		s.Count(&CacheLoads, stats.Loads)
		s.Count(&CacheBatches, stats.Batches)
		s.Count(&CacheLoadErrors, stats.LoadErrors)
		s.Value(&CacheLoadSeconds, stats.LoadTime.Seconds())
		s.Count(&CacheCoalesced, stats.Coalesced)
		s.Count(&CacheRejected, stats.Rejected)
		s.Count(&CacheRereads, stats.Rereads)
		s.Count(&CacheUncached, stats.Uncached)
		s.Count(&CacheStale, stats.Stale)
		s.Count(&CacheFills, stats.Fills)
		s.Count(&CacheFillsRefused, stats.FillsRefused)
		s.Count(&CacheEvictions, stats.Evictions)
		s.Count(&CacheChanges, stats.Changes)
		s.Count(&CacheGaps, stats.Gaps)
		s.Value(&CacheEntries, float64(stats.Entries))
		s.Value(&CacheBytes, float64(stats.Bytes))
		s.Value(&CacheWaiting, float64(stats.Waiting))
		s.Value(&CacheLoadLimit, float64(stats.LoadLimit))
		fresh := c.State()
		s.Flag(&FreshnessHealthy, fresh.Healthy)
		for _, phase := range cache.Phases() {
			s.Flag(&FreshnessPhase, fresh.Phase == phase, phase.String())
			s.Count(&FreshnessPhases, stats.Phases[phase], phase.String())
		}
		if !fresh.Watermark.IsZero() {
			s.Value(&FreshnessLag, fresh.Lag.Seconds())
		}
	}
}

// Auditor reads an auditor.
func Auditor(a *auditor.Auditor) Collector {
	return func(s *Samples) {
		stats := a.Stats()
		for i, scale := range auditor.Scales {
			s.Count(&AuditChecked, stats.Checked[i], scale.String())
			s.Count(&AuditInconsistent, stats.Inconsistent[i], scale.String())
		}
		for cause, n := range map[string]uint64{
			"absent": stats.Absent, "moved": stats.Moved, "unread": stats.Unread, "late": stats.Late, "dropped": stats.Dropped,
		} {
			s.Count(&AuditUndecided, n, cause)
		}
	}
}

// Bulk reads the bulk plane.
func Bulk(b *bulk.Server) Collector {
	return func(s *Samples) {
		stats := b.Stats()
		s.Value(&BulkOpen, float64(stats.Open))
		s.Count(&BulkStreams, stats.Streams-stats.Cut, "begun")
		s.Count(&BulkStreams, stats.Cut, "cut")
		s.Count(&BulkStreams, stats.Refused, "refused")
		s.Count(&BulkUsers, stats.Eligible, "eligible")
		s.Count(&BulkUsers, stats.Users-stats.Eligible, "other")
	}
}

// Push reads what serves the push hooks.
func Push(w *pushhook.Watch, sender *pushhook.Sender) Collector {
	return func(s *Samples) {
		watch := w.Stats()
		s.Value(&PushWatched, float64(watch.Hub.Open))
		s.Count(&PushEvicted, watch.Evicted)
		s.Count(&PushDropped, watch.Dropped)
		s.Count(&PushLooks, watch.Hub.Looks-watch.Hub.Failed, "ok")
		s.Count(&PushLooks, watch.Hub.Failed, "failed")
		sent := sender.Stats()
		s.Value(&PushWaiting, float64(sent.Waiting))
		s.Value(&PushFlying, float64(sent.Flying))
		for result, n := range map[string]uint64{"accepted": sent.Accepted, "refused": sent.Refused, "failed": sent.Failed} {
			s.Count(&PushRequests, n, result)
		}
		for result, n := range map[string]uint64{
			"delivered": sent.Delivered, "dead": sent.Dead, "joined": sent.Joined, "gone": sent.Gone, "abandoned": sent.Abandoned,
		} {
			s.Count(&PushMessages, n, result)
		}
	}
}

// Streams reads a hub.
func Streams(h *stream.Hub) Collector {
	return func(s *Samples) {
		stats := h.Stats()
		s.Value(&StreamOpen, float64(stats.Open))
		s.Count(&StreamOpened, stats.Opened)
		s.Count(&StreamRefused, stats.Refused)
		s.Count(&StreamLooks, stats.Looks-stats.Failed, "ok")
		s.Count(&StreamLooks, stats.Failed, "failed")
		s.Count(&StreamTold, stats.Told)
	}
}

// Follower reads a follower.
func Follower(f *events.Follower) Collector {
	return func(s *Samples) {
		stats := f.Stats()
		s.Count(&FollowerBatches, stats.Batches)
		s.Count(&FollowerChanges, stats.Changes)
		s.Count(&FollowerHints, stats.Hints)
		s.Count(&FollowerGaps, stats.Gaps)
		for cause, n := range map[string]uint64{
			"repeat": stats.Repeats, "lower_epoch": stats.LowerEpochs, "undecodable": stats.Undecodable, "implausible": stats.Implausible,
			"backwards": stats.Backwards,
		} {
			s.Count(&FollowerIgnored, n, cause)
		}
		s.Count(&FollowerInterrupts, stats.Interruptions)
	}
}

// Relay reads a relay.
func Relay(r *events.Relay) Collector {
	return func(s *Samples) {
		stats := r.Stats()
		s.Flag(&RelayLeading, stats.Leading)
		s.Value(&RelayEpoch, float64(stats.Epoch))
		s.Count(&RelayTerms, stats.Terms)
		s.Count(&RelayLost, stats.LeasesLost)
		s.Count(&RelayBatches, stats.Batches)
		s.Count(&RelayChanges, stats.Changes)
		for kind, n := range map[string]uint64{
			"publish": stats.PublishFailures, "feed_restart": stats.FeedRestarts, "cursor_too_old": stats.CursorsTooOld,
			"implausible": stats.Implausible, "backwards": stats.Backwards, "uncarryable": stats.Uncarryable, "save": stats.SaveFailures,
		} {
			s.Count(&RelayFailures, n, kind)
		}
		s.Value(&RelayWaiting, float64(stats.Waiting))
	}
}

// Rulesets reads the rulesets in force.
func Rulesets(live *rules.Live) Collector {
	return func(s *Samples) {
		projects, stale, promotions, quarantined := 0, 0, 0, 0
		for _, rs := range live.Projects() {
			projects++
			promotions += rs.Promotions.Len()
			quarantined += len(rs.Quarantined)
			if !live.Fresh(rs.Project) {
				stale++
			}
		}
		s.Value(&RulesProjects, float64(projects))
		s.Value(&RulesStale, float64(stale))
		s.Value(&RulesPromotions, float64(promotions))
		s.Value(&RulesQuarantined, float64(quarantined))
	}
}
