package ops

// The definitions of all metrics of the product. They are added, and never renamed: dashboards and alerts stand on them.
var (
	BuildInfo = gauge("eligibility_build_info", "Always 1; the labels say which build runs.", "version", "revision", "go")

	// The decision plane.
	DecisionRequests = counter("eligibility_decision_requests_total", "Answers by route and first digit of the status.", "route", "class")
	DecisionSeconds  = histogram("eligibility_decision_request_seconds", "From a request read to its answer encoded, by route.", "route")
	DecisionDegraded = counter("eligibility_decision_degraded_total", "Decisions answered as degraded.")
	DecisionReused   = counter("eligibility_decision_reused_total", "Decisions answered from an earlier one of the same snapshot.")
	DecisionErrors   = counter("eligibility_decision_rule_errors_total", "Rules that could not be evaluated for a user.")
	DecisionLimited  = counter("eligibility_decision_limited_total", "Requests refused by the rate limit.")
	DecisionPanics   = counter("eligibility_decision_panics_total", "Requests that ended in a panic, each of which is a defect.")

	// The control plane.
	ControlRequests = counter("eligibility_control_requests_total", "Answers of the control plane.", "result")
	ControlPanics   = counter("eligibility_control_panics_total", "Requests that ended in a panic, each of which is a defect.")

	// The cache of snapshots.
	CacheHits         = counter("eligibility_cache_hits_total", "Reads answered from memory.")
	CacheMisses       = counter("eligibility_cache_misses_total", "Reads that needed a load, by why.", "cause")
	CacheFalse        = counter("eligibility_cache_false_invalidations_total", "Misses owed to another key of the same slot, estimated.")
	CacheLoads        = counter("eligibility_cache_loads_total", "Users read from the store.")
	CacheBatches      = counter("eligibility_cache_load_batches_total", "Reads of the store, of one or more users each.")
	CacheLoadErrors   = counter("eligibility_cache_load_errors_total", "Reads of the store that failed.")
	CacheLoadSeconds  = counter("eligibility_cache_load_seconds_total", "Time spent in reads of the store.")
	CacheCoalesced    = counter("eligibility_cache_coalesced_total", "Reads that shared the load of another.")
	CacheRejected     = counter("eligibility_cache_rejected_total", "Reads refused because too many were waiting.")
	CacheRereads      = counter("eligibility_cache_rereads_total", "Loads repeated because they came back too old.")
	CacheUncached     = counter("eligibility_cache_uncached_total", "Reads answered and not kept, because a floor lay above their stamp.")
	CacheStale        = counter("eligibility_cache_stale_total", "Reads answered degraded because the store could not be read.")
	CacheFills        = counter("eligibility_cache_fills_total", "Entries offered to the cache.")
	CacheFillsRefused = counter("eligibility_cache_fills_refused_total", "Loads that were invalid before they could be kept.")
	CacheEvictions    = counter("eligibility_cache_evictions_total", "Entries dropped for want of room.")
	CacheChanges      = counter("eligibility_cache_changes_total", "Changes that raised floors, repeats included.")
	CacheGaps         = counter("eligibility_cache_gaps_total", "Times everything was assumed to have changed.")
	CacheEntries      = gauge("eligibility_cache_entries", "Snapshots in memory.")
	CacheBytes        = gauge("eligibility_cache_size_bytes", "Memory that they count for.")
	CacheWaiting      = gauge("eligibility_cache_waiting", "Users waiting to be loaded.")
	CacheLoadLimit    = gauge("eligibility_cache_load_limit", "Loads that may run at once at present; fewer while the store fails or is slow.")

	// The auditor, which compares the cache with the store.
	AuditChecked      = counter("eligibility_audit_checked_total", "Cached users compared with the store, by time since their change.", "scale")
	AuditInconsistent = counter("eligibility_audit_inconsistent_total",
		"Of them, those that differed from the store at an instant for which the cache vouched. Each is a defect.", "scale")
	AuditUndecided = counter("eligibility_audit_undecided_total", "Audits that came to no verdict, by why.", "cause")

	// The bulk plane.
	BulkOpen    = gauge("eligibility_bulk_open", "Streams of users that are being answered.")
	BulkStreams = counter("eligibility_bulk_streams_total", "Streams of users, by what became of them.", "result")
	BulkUsers   = counter("eligibility_bulk_users_total", "Users answered in streams.", "answer")

	// Pre-checks asked over the bus.
	BusPrechecks       = counter("eligibility_bus_prechecks_total", "Pre-checks asked over the bus, by what became of them.", "result")
	BusPrecheckUsers   = counter("eligibility_bus_precheck_users_total", "Users answered over the bus.", "answer")
	BusPrecheckOpen    = gauge("eligibility_bus_precheck_open", "Pre-checks of the bus that are being answered.")
	BusPrecheckWaiting = gauge("eligibility_bus_precheck_waiting", "Pre-checks of the bus that wait for it.")
	BusPrecheckSeconds = counter("eligibility_bus_precheck_seconds_total", "Time from when they came to their answers, summed.")

	// The push hooks.
	PushWatched  = gauge("eligibility_push_watched", "Users, each in one context, whose answers are watched for push hooks.")
	PushEvicted  = counter("eligibility_push_evicted_total", "Users watched no longer because others needed the room.")
	PushDropped  = counter("eligibility_push_dropped_total", "Times that a user was not taken in because too many came at once.")
	PushLooks    = counter("eligibility_push_looks_total", "Answers computed for push hooks, to see whether they changed.", "result")
	PushWaiting  = gauge("eligibility_push_waiting", "Messages that wait or are being posted.")
	PushFlying   = gauge("eligibility_push_flying", "Requests to push hooks that are being made.")
	PushRequests = counter("eligibility_push_requests_total", "Requests made to push hooks, by what became of them.", "result")
	PushMessages = counter("eligibility_push_messages_total", "Messages, by what became of them.", "result")

	// The streams that tell clients when to ask again.
	StreamOpen    = gauge("eligibility_stream_open", "Clients that wait to be told.")
	StreamOpened  = counter("eligibility_stream_opened_total", "Streams opened.")
	StreamRefused = counter("eligibility_stream_refused_total", "Streams refused because too many were open.")
	StreamLooks   = counter("eligibility_stream_looks_total", "Answers computed for a stream, to see whether they changed.", "result")
	StreamTold    = counter("eligibility_stream_told_total", "Times that a client was told to ask again.")

	// The feed.
	FreshnessLag = gauge("eligibility_feed_lag_seconds",
		"Freshness lag: the database's time minus the watermark; absent before the first.")
	FreshnessPhase     = gauge("eligibility_feed_phase", "1 for the phase that the feed is in: live, lagging or detached.", "phase")
	FreshnessPhases    = counter("eligibility_feed_phases_total", "Times the feed came into a phase.", "phase")
	FreshnessHealthy   = gauge("eligibility_feed_healthy", "1 while the watermark grows and lies within the staleness bound.")
	FollowerBatches    = counter("eligibility_feed_batches_total", "Batches received from the bus.")
	FollowerChanges    = counter("eligibility_feed_changes_total", "Changes applied, repeats and hints included.")
	FollowerHints      = counter("eligibility_feed_hints_total", "Hints received past the stream.")
	FollowerGaps       = counter("eligibility_feed_gaps_total", "Gaps seen in the stream.")
	FollowerIgnored    = counter("eligibility_feed_ignored_total", "Messages not taken at their word, by why.", "cause")
	FollowerInterrupts = counter("eligibility_feed_interruptions_total", "Losses that the bus reported.")

	// The relay of this replica, if it holds the lease.
	RelayLeading  = gauge("eligibility_relay_leading", "1 while this replica relays the feed.")
	RelayEpoch    = gauge("eligibility_relay_epoch", "Epoch of its present or last term.")
	RelayTerms    = counter("eligibility_relay_terms_total", "Times it took the lease.")
	RelayLost     = counter("eligibility_relay_leases_lost_total", "Terms that ended because another took the lease.")
	RelayBatches  = counter("eligibility_relay_batches_total", "Batches acknowledged by the bus.")
	RelayChanges  = counter("eligibility_relay_changes_total", "Changes in them.")
	RelayFailures = counter("eligibility_relay_failures_total", "What went wrong and was tried again or sent as a gap, by kind.", "kind")
	RelayWaiting  = gauge("eligibility_relay_waiting", "Changes waiting to be published.")

	// The bus.
	BusConnected = gauge("eligibility_bus_connected", "1 while the bus can be reached.")
	BusMessages  = counter("eligibility_bus_messages_total", "Messages by direction: published, delivered, hints and announcements.", "kind")
	BusBytes     = counter("eligibility_bus_transferred_bytes_total", "Bytes of batches by direction.", "kind")
	BusFailures  = counter("eligibility_bus_failures_total", "What the bus could not carry or vouch for, by kind.", "kind")
	BusReconnect = counter("eligibility_bus_reconnects_total", "Times the connection was made anew.")

	// Rulesets.
	RulesProjects = gauge("eligibility_rules_projects", "Projects whose ruleset is in force here.")
	RulesStale    = gauge("eligibility_rules_stale_projects",
		"Of them, those not compared with the store lately: their answers are degraded.")
	RulesPromotions  = gauge("eligibility_rules_promotions", "Promotions in force, over all projects.")
	RulesQuarantined = gauge("eligibility_rules_quarantined_promotions", "Promotions that this replica cannot compile.")
	KeysInForce      = gauge("eligibility_access_keys", "Keys in force, over all projects.")

	// Changes that the database sends by itself.
	WebhookRequests = counter("eligibility_webhook_requests_total", "Requests of changefeed jobs, by outcome.", "outcome")
	WebhookChanges  = counter("eligibility_webhook_changes_total", "Changes that came by webhook and that the bus has acknowledged.")
	WebhookUntold   = counter("eligibility_webhook_untold_rows_total", "Rows that could not be told: everything was assumed to have changed.")
	WebhookLeads    = gauge("eligibility_webhook_leads", "1 while changes are taken in here.")

	// The embedded store.
	StoreCommits       = counter("eligibility_store_commits_total", "Durable commits.")
	StoreCommitSeconds = counter("eligibility_store_commit_seconds_total", "Time from a commit's stamp to its fsync, summed.")
	StoreInFlight      = gauge("eligibility_store_commits_in_flight", "Commits waiting for their fsync.")
	StoreLoads         = counter("eligibility_store_loads_total", "Users loaded.")
	StoreSwept         = counter("eligibility_store_swept_events_total", "User events removed after their retention.")
	StoreDiskBytes     = gauge("eligibility_store_disk_bytes", "Size of the data directory.")
	StoreLogBytes      = gauge("eligibility_store_log_bytes", "Of it, the log.")
	StoreBlockHits     = gauge("eligibility_store_block_cache_hit_ratio", "Share of block reads that needed no disk, 0 to 1.")
	StoreReadOnly      = gauge("eligibility_store_read_only", "1 while writes are refused.")

	// The store on CockroachDB.
	StoreStatements = counter("eligibility_store_statements_total", "Statements that loaded users.")
	StoreRetries    = counter("eligibility_store_retries_total", "What was tried again, by cause.", "cause")
	PoolConns       = gauge("eligibility_store_pool_connections", "Connections to the database, by state.", "state")
	PoolMax         = gauge("eligibility_store_pool_max_connections", "Connections that there may be.")
	PoolAcquires    = counter("eligibility_store_pool_acquires_total", "Times a connection was taken.")
	PoolWaited      = counter("eligibility_store_pool_waits_total", "Of them, those that had to wait for one.")
	PoolWaitSeconds = counter("eligibility_store_pool_wait_seconds_total", "Time that was waited for a connection, summed.")
	PoolOpened      = counter("eligibility_store_pool_opened_total", "Connections opened.")
)

// Metrics lists every definition.
func Metrics() []*Metric {
	return []*Metric{
		&BuildInfo,
		&DecisionRequests, &DecisionSeconds, &DecisionDegraded, &DecisionReused, &DecisionErrors, &DecisionLimited, &DecisionPanics,
		&ControlRequests, &ControlPanics,
		&CacheHits, &CacheMisses, &CacheFalse, &CacheLoads, &CacheBatches, &CacheLoadErrors, &CacheLoadSeconds, &CacheCoalesced, &CacheRejected,
		&CacheRereads, &CacheUncached, &CacheStale, &CacheFills, &CacheFillsRefused, &CacheEvictions, &CacheChanges, &CacheGaps, &CacheEntries,
		&CacheBytes, &CacheWaiting, &CacheLoadLimit, &BulkOpen, &BulkStreams, &BulkUsers,
		&BusPrechecks, &BusPrecheckUsers, &BusPrecheckOpen, &BusPrecheckWaiting, &BusPrecheckSeconds,
		&StreamOpen, &StreamOpened, &StreamRefused, &StreamLooks, &StreamTold,
		&PushWatched, &PushEvicted, &PushDropped, &PushLooks, &PushWaiting, &PushFlying, &PushRequests, &PushMessages,
		&AuditChecked, &AuditInconsistent, &AuditUndecided,
		&FreshnessLag, &FreshnessHealthy, &FreshnessPhase, &FreshnessPhases, &FollowerBatches, &FollowerChanges, &FollowerHints, &FollowerGaps, &FollowerIgnored,
		&FollowerInterrupts,
		&RelayLeading, &RelayEpoch, &RelayTerms, &RelayLost, &RelayBatches, &RelayChanges, &RelayFailures, &RelayWaiting,
		&BusConnected, &BusMessages, &BusBytes, &BusFailures, &BusReconnect,
		&WebhookRequests, &WebhookChanges, &WebhookUntold, &WebhookLeads,
		&RulesProjects, &RulesStale, &RulesPromotions, &RulesQuarantined, &KeysInForce,
		&StoreCommits, &StoreCommitSeconds, &StoreInFlight, &StoreLoads, &StoreSwept, &StoreDiskBytes, &StoreLogBytes, &StoreBlockHits,
		&StoreReadOnly, &StoreStatements, &StoreRetries,
		&PoolConns, &PoolMax, &PoolAcquires, &PoolWaited, &PoolWaitSeconds, &PoolOpened,
	}
}

func counter(name, help string, labels ...string) Metric {
	return Metric{Name: name, Help: help, Kind: Counter, Labels: labels}
}

func gauge(name, help string, labels ...string) Metric {
	return Metric{Name: name, Help: help, Kind: Gauge, Labels: labels}
}

func histogram(name, help string, labels ...string) Metric {
	return Metric{Name: name, Help: help, Kind: Histogram, Labels: labels}
}
