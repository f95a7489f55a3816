package demo

import (
	"context"
	"slices"
	"testing"
	"time"

	"eligibility/internal/demo/shop"
	"eligibility/internal/engine"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// The stories that the tutorial tells of the named shoppers are true, at the start and after some waiting.
func TestStoriesOfNamedShoppers(t *testing.T) {
	ctx := context.Background()
	store := open(t)
	cfg := config(len(shop.Named()))
	if _, err := Seed(ctx, store, rules.NewService(store, rules.ServiceConfig{}), cfg); err != nil {
		t.Fatal(err)
	}
	spec, err := store.Spec(ctx, Project)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	start := cfg.Now.Truncate(time.Millisecond)
	for _, c := range []struct {
		name      string
		user      string
		after     time.Duration
		placement int32
		first     string // the first message; "" for none
	}{
		{"ada left a cart two hours ago", "ada", 0, shop.HomeBanner, "abandoned-cart"},
		{"which is forgotten after a day", "ada", 22*time.Hour + time.Second, shop.HomeBanner, "fathers-day"},
		{"ben's cart is 29 minutes old", "ben", 0, shop.HomeBanner, "house-banner"},
		{"and still not due after 59.999 seconds", "ben", time.Minute - time.Millisecond, shop.HomeBanner, "house-banner"},
		{"but a minute after the start", "ben", time.Minute, shop.HomeBanner, "abandoned-cart"},
		{"cleo is a VIP", "cleo", 0, shop.HomeBanner, "vip-early-access"},
		{"who gets express shipping", "cleo", 0, shop.Checkout, "big-spender"},
		{"dan is new", "dan", 0, shop.HomeBanner, "first-order"},
		{"for thirty days", "dan", 29*24*time.Hour + time.Second, shop.Checkout, ""},
		{"eve has not bought for a month", "eve", 0, shop.HomeBanner, "win-back"},
		{"and is not on WhatsApp", "eve", 0, shop.Account, "whatsapp-opt-in"},
		{"finn bought three days ago", "finn", 0, shop.Account, "review-request"},
		{"gita looks at garden things", "gita", 0, shop.ProductCard, "garden-affinity"},
		{"hugo has his birthday", "hugo", 0, shop.HomeBanner, "birthday"},
	} {
		t.Run(c.name, func(t *testing.T) {
			snapshots := make([]*profile.Snapshot, 1)
			if err := store.Load(ctx, []profile.Key{{Project: Project, User: c.user}}, snapshots); err != nil {
				t.Fatal(err)
			}
			var got engine.Decision
			request := engine.Request{Now: start.Add(c.after).UnixNano(), Placements: []int32{c.placement}, Channel: "embedded"}
			engine.Decide(rs, snapshots[0], &request, &got)
			first := ""
			if messages := got.Placements[0].Messages; len(messages) > 0 {
				first = messages[0].Promotion.ID
			}
			if first != c.first {
				t.Errorf("%s is shown %q in %d, want %q", c.user, first, c.placement, c.first)
			}
		})
	}
}

func TestBenIsDueExactlyAtValidUntil(t *testing.T) {
	ctx := context.Background()
	store := open(t)
	cfg := config(len(shop.Named()))
	if _, err := Seed(ctx, store, rules.NewService(store, rules.ServiceConfig{}), cfg); err != nil {
		t.Fatal(err)
	}
	spec, err := store.Spec(ctx, Project)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	snapshots := make([]*profile.Snapshot, 1)
	if err := store.Load(ctx, []profile.Key{{Project: Project, User: "ben"}}, snapshots); err != nil {
		t.Fatal(err)
	}
	start := cfg.Now.Truncate(time.Millisecond)
	var got engine.Decision
	engine.Decide(rs, snapshots[0], &engine.Request{Now: start.UnixNano(), Placements: []int32{shop.HomeBanner}, Channel: "embedded"}, &got)
	if want := start.Add(time.Minute).UnixNano(); got.ValidUntil != want {
		t.Errorf("the answer is valid until %v, want %v", time.Unix(0, got.ValidUntil), start.Add(time.Minute))
	}
}

func TestEveryStoryHasAPromotion(t *testing.T) {
	users := []string{}
	for i, story := range shop.Named() {
		if story.Story == "" || story.UserID != shop.UserID(i) || slices.Contains(users, story.UserID) {
			t.Errorf("named shopper %d is %+v", i, story)
		}
		users = append(users, story.UserID)
	}
}
