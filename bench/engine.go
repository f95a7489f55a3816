package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	"eligibility/bench/workload"
	"eligibility/internal/access"
	"eligibility/internal/app"
	"eligibility/internal/audit"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// world is what an engine is filled with.
type world struct {
	Rules, Users int
	CacheBytes   int64
	Now          time.Time // that users' events lie before; of the start when zero
	SQL          bool      // on PostgreSQL instead of the embedded store

	url string // of the database, set by the engine itself
}

// The project of the measurements: three placements that show five messages each, among which the rules are dealt out.
const (
	project    = "bench"
	placements = 3
	shown      = 5
	// unasked is a placement whose one promotion reads an attribute of the request as it stands: requests that differ in it are of different classes, and no answer that was
	// kept for one is used for the other.
	unasked = 199
)

// command is what an engine is asked to do beside serving.
type command struct {
	Publish float64       // publications a second …
	Span    time.Duration // … for this long
	Memory  bool          // say how much of the heap is in use
	Edge    time.Time     // publish a promotion for everybody that begins then
	Profile string        // write a profile of the processor during the span to this file
}

// reply is its answer.
type reply struct {
	Heap    uint64
	Applied []time.Duration // from the durable acknowledgement of each publication until this process decided by it
	// Allocated is the bytes that the process allocated while it published.
	Allocated uint64
}

// engine is a replica in this process.
func engine(told *world, in *json.Decoder) error {
	dir, err := os.MkdirTemp("", "eligibility-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if told.SQL {
		end, err := openSQL(dir, told)
		if err != nil {
			return err
		}
		defer end()
	}
	key, client, err := fill(dir, told)
	if err != nil {
		return err
	}
	runtime.GC()
	began := time.Now()
	replica, err := openEngine(dir, told)
	if err != nil {
		return err
	}
	ready := replica.Ready()
	at := hello{Listen: ready.Listen, Control: ready.AdminListen, Bulk: ready.BulkListen, Ops: ready.OpsListen, Key: key, Client: client, Took: time.Since(began), Heap: heap()}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(at); err != nil {
		return err
	}
	for {
		var c command
		if err := in.Decode(&c); errors.Is(err, io.EOF) {
			return replica.Stop(context.Background())
		} else if err != nil {
			return errors.Join(err, replica.Stop(context.Background()))
		}
		var r reply
		if c.Memory {
			r.Heap = heap()
		}
		if c.Profile != "" {
			if err := profileTo(c.Profile, c.Span); err != nil {
				return err
			}
		}
		if !c.Edge.IsZero() {
			if err := publishEdge(replica, c.Edge); err != nil {
				return err
			}
		}
		if c.Publish > 0 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if r.Applied, err = publish(replica, c); err != nil {
				return err
			}
			runtime.ReadMemStats(&after)
			r.Allocated = after.TotalAlloc - before.TotalAlloc
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

func config(dir string, told *world) app.Config {
	cfg := app.Defaults()
	cfg.Listen, cfg.AdminListen, cfg.OpsListen, cfg.BulkListen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.DataDir, cfg.AuditRate, cfg.ClientRate = dir, 0, 0
	if told.CacheBytes > 0 {
		cfg.CacheBytes = told.CacheBytes
	}
	if told.url != "" {
		cfg.Store, cfg.CRDBURL, cfg.Relay = "crdb", told.url, true
		cfg.RootKeyFile, cfg.SecretKeyFile = filepath.Join(dir, "root.key"), filepath.Join(dir, "secret.key")
	}
	return cfg
}

func openEngine(dir string, told *world) (*app.App, error) {
	replica, err := app.New(config(dir, told), slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		return nil, err
	}
	return replica, replica.Start(context.Background())
}

// fill writes the workload into a data directory.
func fill(dir string, told *world) (key, client string, err error) {
	replica, err := app.New(config(dir, told), slog.New(slog.DiscardHandler))
	if err != nil {
		return "", "", err
	}
	defer func() { err = errors.Join(err, replica.Stop(context.Background())) }()
	ctx, store := context.Background(), replica.Store()
	if told.Now.IsZero() {
		told.Now = time.Now().UTC().Truncate(time.Minute)
	}
	w, err := workload.New(workload.Config{Rules: told.Rules, Users: told.Users, Now: told.Now})
	if err != nil {
		return "", "", err
	}
	spec := rules.Spec{Project: project, Schema: w.Schema, Settings: rules.Settings{OnStoreDown: rules.FailClosed, TimeZone: "UTC"}, Context: rules.DefaultContext()}
	for i := range placements {
		spec.Placements = append(spec.Placements, rules.Placement{Placement: int32(101 + i), Name: fmt.Sprint("place ", i), Limit: shown})
	}
	spec.Placements = append(spec.Placements, rules.Placement{Placement: unasked, Name: "asked for by nobody", Limit: 1})
	entry := audit.Entry{Project: project, Actor: "bench", Action: "fill", Target: project}
	if _, err := store.CreateProject(ctx, spec, entry); err != nil {
		return "", "", err
	}
	reader := commitOf(&workload.Rule{ID: "reads-the-platform", Text: "request.platform < 'a'", Priority: 1}, 0, 1, nil)
	reader.Revision.Promotion.Placements[0].Placement = unasked
	if _, err := store.Commit(ctx, reader); err != nil {
		return "", "", err
	}
	if err := fillRules(ctx, store, w.Rules); err != nil {
		return "", "", err
	}
	keys := make(map[access.Kind]string)
	for _, kind := range []access.Kind{access.Server, access.Client} {
		made, id, hash := access.NewKey(kind)
		if _, err := store.PutCredential(ctx, access.Credential{ID: id, Project: project, Kind: kind, Hash: hash, CreatedAt: time.Now()}, entry); err != nil {
			return "", "", err
		}
		keys[kind] = made
	}
	return keys[access.Server], keys[access.Client], fillUsers(ctx, store, w.Users)
}

// fillRules publishes all rules as one version. Commits that run together share their syncs, and only the last makes the version.
func fillRules(ctx context.Context, store app.Store, all []workload.Rule) error {
	const together = 64
	faults := make([]error, together)
	var group sync.WaitGroup
	for at := range together {
		group.Go(func() {
			for i := at; i < len(all)-1 && faults[at] == nil; i += together {
				c := commitOf(&all[i], i, 1, nil)
				faults[at] = second(store.Commit(ctx, c))
			}
		})
	}
	group.Wait()
	if err := errors.Join(faults...); err != nil || len(all) == 0 {
		return err
	}
	return commit(ctx, store, &all[len(all)-1], len(all)-1, 1, nil)
}

func second[T any](_ T, err error) error { return err }

// commit publishes a rule at the revision, as a new version of the ruleset.
func commit(ctx context.Context, store app.Store, r *workload.Rule, i, revision int, schedule *rules.Schedule) error {
	version, err := store.Version(ctx, project)
	if err != nil {
		return err
	}
	c := commitOf(r, i, revision, schedule)
	c.ExpectVersion, c.NewVersion = version, true
	return second(store.Commit(ctx, c))
}

// commitOf makes the rule a promotion in force.
func commitOf(r *workload.Rule, i, revision int, schedule *rules.Schedule) *rules.Commit {
	now := time.Now().UTC()
	promotion := rules.Promotion{
		ID: r.ID, Name: r.ID, Rule: r.Text, CampaignID: int32(i + 1), Content: rules.Content{Title: fmt.Sprint("Offer ", i), Body: "Only this week, only for you."},
		Placements: []rules.PlacementTarget{{Placement: int32(101 + i%placements), Priority: r.Priority}}, Schedule: schedule,
	}
	return &rules.Commit{
		Project:  project,
		Head:     &rules.Head{ID: r.ID, Published: revision, Last: revision, CampaignID: promotion.CampaignID, Generation: uint64(revision), UpdatedAt: now, UpdatedBy: "bench"},
		Revision: &rules.Revision{Promotion: promotion, Number: revision, CreatedAt: now, CreatedBy: "bench", PublishedAt: &now, PublishedBy: "bench"},
		Audit:    audit.Entry{Project: project, Actor: "bench", Action: "promotion.publish", Target: r.ID},
	}
}

func fillUsers(ctx context.Context, store app.Store, users []workload.User) error {
	for chunk := range slices.Chunk(users, 200) {
		var updates []profile.Update
		var events []profile.NewEvent
		for i := range chunk {
			u := profile.Update{UserID: chunk[i].ID}
			if err := json.Unmarshal([]byte(chunk[i].Attributes), &u.Attributes); err != nil {
				return err
			}
			updates = append(updates, u)
			for n, e := range chunk[i].Events {
				events = append(events, profile.NewEvent{
					UserID: chunk[i].ID, ID: fmt.Sprint(n), Name: e.Name, OccurredAt: e.At, Properties: json.RawMessage(e.Properties),
				})
			}
		}
		if _, _, err := store.PutUsers(ctx, project, updates); err != nil {
			return err
		}
		for part := range slices.Chunk(events, 1000) {
			if _, _, err := store.PutEvents(ctx, project, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// publish puts new revisions into force at a rate, and waits for each until the replica decides by it.
func publish(replica *app.App, c command) ([]time.Duration, error) {
	ctx, store := context.Background(), replica.Store()
	var took []time.Duration
	tick := time.NewTicker(time.Duration(float64(time.Second) / c.Publish))
	defer tick.Stop()
	for end := time.Now().Add(c.Span); time.Now().Before(end); <-tick.C {
		version, err := store.Version(ctx, project)
		if err != nil {
			return nil, err
		}
		i := int(version) % 10 // of the first ten, which every world has
		id := fmt.Sprintf("promo-%06d", i)
		head, err := store.Head(ctx, project, id)
		if err != nil {
			return nil, err
		}
		last, err := store.Revision(ctx, project, id, head.Published)
		if err != nil {
			return nil, err
		}
		text, _, _ := strings.Cut(last.Promotion.Rule, " && user.real0 < ")
		rule := workload.Rule{
			ID: id, Priority: last.Promotion.Placements[0].Priority,
			Text: fmt.Sprintf("%s && user.real0 < %d.5", text, 1_000_000+version), // a rule that was never compiled
		}
		if err := commit(ctx, store, &rule, i, head.Last+1, nil); err != nil {
			return nil, err
		}
		durable := time.Now()
		for replica.Version(project) <= version {
			time.Sleep(50 * time.Microsecond)
		}
		took = append(took, time.Since(durable))
	}
	return took, nil
}

// publishEdge puts a promotion for everybody, first in its placement, into force that begins at an instant: every kept answer ends there.
func publishEdge(replica *app.App, start time.Time) error {
	ctx, store := context.Background(), replica.Store()
	version, err := store.Version(ctx, project)
	if err != nil {
		return err
	}
	const id = "promo-000000"
	head, err := store.Head(ctx, project, id)
	if err != nil {
		return err
	}
	rule := workload.Rule{ID: id, Priority: 1, Text: "true"}
	if err := commit(ctx, store, &rule, 0, head.Last+1, &rules.Schedule{Start: &start}); err != nil {
		return err
	}
	for replica.Version(project) <= version {
		time.Sleep(time.Millisecond)
	}
	return nil
}

func profileTo(path string, span time.Duration) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	time.Sleep(span)
	pprof.StopCPUProfile()
	return nil
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
