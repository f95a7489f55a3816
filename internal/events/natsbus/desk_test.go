package natsbus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audit"
	"eligibility/internal/cache"
	"eligibility/internal/hlc"
	"eligibility/internal/precheck"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	store "eligibility/internal/store/embedded"
)

// desk is what answers pre-checks, on a real store: the project shop with users de0, de1, … of Germany and fr0, … of France, who consent to push, and another project.
type desk struct {
	*precheck.Service
	cache  *cache.Cache
	server string            // key of shop
	keys   map[string]string // others, by what is wrong with them
	enter  chan struct{}     // told of each turn that begins, when not nil
	leave  chan struct{}     // and waited for
}

func newDesk(t testing.TB, gated bool) *desk {
	t.Helper()
	storeCfg := store.Defaults("")
	storeCfg.InMemory = true
	db, err := store.Open(storeCfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	sealer, err := access.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{keys: map[string]string{}}
	if gated {
		d.enter, d.leave = make(chan struct{}), make(chan struct{})
	}
	live, clock := &rules.Live{}, &hlc.Estimate{}
	for project, promotion := range map[string]string{"shop": "german", "other": "canary"} {
		d.project(t, db, live, project, promotion)
	}
	d.server = d.credential(t, db, access.Credential{Project: "shop", Kind: access.Server})
	d.keys["client"] = d.credential(t, db, access.Credential{Project: "shop", Kind: access.Client})
	d.keys["suspended"] = d.credential(t, db, access.Credential{Project: "shop", Kind: access.Server, Suspended: true})
	d.keys["other"] = d.credential(t, db, access.Credential{Project: "other", Kind: access.Server})
	keyring := access.NewKeyring(db, sealer, quiet())
	if err := keyring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	cacheCfg := cache.Defaults()
	cacheCfg.CacheBytes, cacheCfg.FloorSlots, cacheCfg.Logger = 8<<20, 1<<12, quiet()
	if d.cache, err = cache.New(cacheCfg, db, clock); err != nil {
		t.Fatal(err)
	}
	if err := d.cache.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.cache.Stop)
	began := time.Now()
	now, err := db.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clock.Observe(now, began)
	d.Service, err = precheck.NewService(precheck.ServiceDeps{
		Users: d.cache, Book: db, Rulesets: live, Keys: keyring, Clock: clock, Turn: d.turn, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// turn tells the test and waits for it, where it wants so.
func (d *desk) turn(ctx context.Context, work func(time.Duration)) (time.Duration, error) {
	if d.enter != nil {
		select {
		case d.enter <- struct{}{}:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		select {
		case <-d.leave:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	work(time.Hour)
	return 0, nil
}

func (d *desk) project(t testing.TB, db *store.Store, live *rules.Live, project, promotion string) {
	t.Helper()
	schema, err := profile.NewSchema().WithAttribute("country", profile.Type{Kind: profile.String}, false)
	if err != nil {
		t.Fatal(err)
	}
	settings := rules.Settings{OnStoreDown: rules.FailClosed, TimeZone: "UTC"}
	spec := rules.Spec{Project: project, Schema: schema, Settings: settings}
	if _, err := db.CreateProject(t.Context(), spec, audit.Entry{Project: project, Actor: "root", Action: "project.create", Target: project}); err != nil {
		t.Fatal(err)
	}
	var updates []profile.Update
	for i := range 20 {
		for country, id := range map[string]string{"DE": fmt.Sprint("de", i), "FR": fmt.Sprint("fr", i)} {
			updates = append(updates, profile.Update{
				UserID: id, Attributes: map[string]json.RawMessage{"country": json.RawMessage(`"` + country + `"`)}, Consent: map[string]*bool{"push": new(true)},
			})
		}
	}
	if _, refused, err := db.PutUsers(t.Context(), project, updates); err != nil || len(refused) > 0 {
		t.Fatal(err, refused)
	}
	p := rules.Promotion{ID: promotion, Name: "n", Rule: "user.country == 'DE'", Channels: []string{"push"}}
	p.Content.Title = "t"
	spec = rules.Spec{Project: project, Version: 7, Schema: schema, Settings: settings, Promotions: rules.NewRoll(rules.LivePromotion{Promotion: &p, Revision: 1})}
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(&spec, nil)
	if err != nil || len(rs.Quarantined) > 0 {
		t.Fatal(err, rs.Quarantined)
	}
	live.Swap(rs)
}

func (d *desk) credential(t testing.TB, db *store.Store, c access.Credential) string {
	t.Helper()
	key, id, hash := access.NewKey(c.Kind)
	c.ID, c.Hash = id, hash
	if _, err := db.PutCredential(t.Context(), c, audit.Entry{Project: c.Project, Actor: "root", Action: "key.create", Target: id}); err != nil {
		t.Fatal(err)
	}
	return key
}

// serve has the desk answer on the bus for the time of the test.
func serve(t testing.TB, b *Bus, answers Prechecks, edit ...func(*ServiceConfig)) *Service {
	t.Helper()
	cfg := DefaultService()
	for _, e := range edit {
		e(&cfg)
	}
	s, err := NewService(b, cfg, answers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
