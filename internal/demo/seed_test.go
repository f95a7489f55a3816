package demo

import (
	"context"
	"errors"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audit"
	"eligibility/internal/demo/shop"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/store/embedded"
)

func open(t testing.TB) *embedded.Store {
	t.Helper()
	cfg := embedded.Defaults(t.TempDir())
	cfg.InMemory = true
	store, err := embedded.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func config(users int) shop.Config {
	return shop.Config{Seed: 1, Users: users, Now: time.Now()}
}

func TestSeedFillsAnEmptyStore(t *testing.T) {
	ctx := context.Background()
	store := open(t)
	authoring := rules.NewService(store, rules.ServiceConfig{})
	got, err := Seed(ctx, store, authoring, config(300))
	if err != nil {
		t.Fatal(err)
	}
	documents, err := shop.Promotions(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got.Kept || got.Users != 300 || got.Promotions != len(documents) || got.Events < 1000 {
		t.Errorf("seeded %+v, want 300 users, %d promotions and more than 1000 events", got, len(documents))
	}
	spec, err := store.Spec(ctx, Project)
	if err != nil {
		t.Fatal(err)
	}
	if spec.Promotions.Len() != len(documents) || len(spec.Placements) != len(shop.Placements()) {
		t.Errorf("in force are %d promotions in %d placements", spec.Promotions.Len(), len(spec.Placements))
	}
	rs, _ := rules.NewCompiler(0).Compile(spec, nil)
	if len(rs.Quarantined) > 0 {
		t.Errorf("promotions that do not compile: %+v", rs.Quarantined)
	}
	ids, err := store.UserIDs(ctx, Project, "", 1000)
	if err != nil || len(ids) != 300 {
		t.Errorf("%d users are stored (%v), want 300", len(ids), err)
	}
	ada, err := store.ReadUser(ctx, profile.Key{Project: Project, User: "ada"}, 100)
	if err != nil || len(ada.Events) != 4 || ada.Events[0].Name != shop.EventAdded {
		t.Errorf("ada is %+v (%v), want four events with cart_added as the newest", ada, err)
	}
	keys, _, err := store.Credentials(ctx)
	if err != nil || len(keys) != 3 {
		t.Fatalf("%d keys are stored (%v), want 3", len(keys), err)
	}
	for i := range keys {
		if !keys[i].Demo || keys[i].RequireJWT || keys[i].Project != Project {
			t.Errorf("key %+v is not one of the demo's", keys[i])
		}
	}
}

func TestSeedKeepsWhatIsThere(t *testing.T) {
	ctx := context.Background()
	store := open(t)
	authoring := rules.NewService(store, rules.ServiceConfig{})
	if _, err := Seed(ctx, store, authoring, config(20)); err != nil {
		t.Fatal(err)
	}
	before, err := store.Version(ctx, Project)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Seed(ctx, store, authoring, config(40))
	if err != nil || !got.Kept || got.Users != 0 {
		t.Errorf("the second time gave %+v, %v: want it kept", got, err)
	}
	after, err := store.Version(ctx, Project)
	if err != nil || after != before {
		t.Errorf("the ruleset went from version %d to %d (%v)", before, after, err)
	}
}

func TestSeedFinishesWhatWasCutShort(t *testing.T) {
	ctx := context.Background()
	store := open(t)
	authoring := rules.NewService(store, rules.ServiceConfig{})
	cfg := config(30)
	if _, err := author(ctx, authoring, cfg.Now); err != nil {
		t.Fatal(err)
	}
	events, err := fill(ctx, store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Seed(ctx, store, authoring, cfg)
	if err != nil || got.Kept || got.Events != events {
		t.Fatalf("seeded %+v, %v: want all %d events once more", got, err, events)
	}
	total := 0
	for i := range cfg.Users {
		user, err := store.ReadUser(ctx, profile.Key{Project: Project, User: shop.UserID(i)}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		total += len(user.Events)
	}
	if total != events {
		t.Errorf("%d events are stored, want %d: none twice", total, events)
	}
}

func TestSeedLeavesOtherDataAlone(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		name string
		make func(t *testing.T, store *embedded.Store, authoring *rules.Service)
	}{
		{"another project", func(t *testing.T, _ *embedded.Store, authoring *rules.Service) {
			if _, err := authoring.CreateProject(ctx, rules.Actor{ID: "root"}, "bakery"); err != nil {
				t.Fatal(err)
			}
		}},
		{"a key of somebody's own", func(t *testing.T, store *embedded.Store, _ *rules.Service) {
			own := access.Credential{ID: "k1", Project: Project, Kind: access.Server, CreatedAt: time.Now()}
			if _, err := store.PutCredential(ctx, own, audit.Entry{Project: Project, Actor: "root", Action: "key.create"}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := open(t)
			authoring := rules.NewService(store, rules.ServiceConfig{})
			c.make(t, store, authoring)
			if _, err := Seed(ctx, store, authoring, config(5)); !errors.Is(err, ErrForeign) {
				t.Errorf("got %v, want ErrForeign", err)
			}
			if ids, err := store.UserIDs(ctx, Project, "", 10); err != nil || len(ids) != 0 {
				t.Errorf("users %v (%v) were stored", ids, err)
			}
		})
	}
}

func TestSeedRefusesABadShop(t *testing.T) {
	store := open(t)
	if _, err := Seed(context.Background(), store, rules.NewService(store, rules.ServiceConfig{}), shop.Config{}); err == nil {
		t.Error("a shop without users and present was accepted")
	}
}

func BenchmarkSeed(b *testing.B) {
	for range b.N {
		store := open(b)
		got, err := Seed(context.Background(), store, rules.NewService(store, rules.ServiceConfig{}), config(shop.DefaultUsers))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(got.Events)/got.Took.Seconds(), "events/s")
	}
}
