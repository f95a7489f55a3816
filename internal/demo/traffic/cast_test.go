package traffic

import (
	"slices"
	"testing"
	"time"

	"eligibility/internal/demo/shop"
)

func TestCastBeginsWithTheNamedOnesWhoStandStill(t *testing.T) {
	cfg := shop.Config{Seed: 1, Users: 1000, Now: time.Now()}
	cast, err := Cast(cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(cast) != castSize {
		t.Errorf("the cast has %d members, want %d", len(cast), castSize)
	}
	for i, role := range cast {
		if named := i < len(shop.Named()); role.Still != named || role.UserID != shop.UserID(i) || role.AppVersion == "" || role.Platform == "" {
			t.Fatalf("member %d is %+v", i, role)
		}
	}
	ben := cast[1]
	if ago := cfg.Now.Sub(ben.Last[shop.EventAdded]).Round(time.Second); ago != 29*time.Minute {
		t.Errorf("ben filled his cart %v ago, want 29m", ago)
	}
	kept, err := Cast(cfg, false)
	if err != nil || kept[1].Last != nil {
		t.Errorf("of a shop that was kept, ben's last acts are %v (%v): nobody knows them", kept[1].Last, err)
	}
}

func TestCastOfASmallShop(t *testing.T) {
	cast, err := Cast(shop.Config{Seed: 1, Users: 3, Now: time.Now()}, true)
	if err != nil || len(cast) != 3 {
		t.Errorf("the cast of three shoppers has %d (%v)", len(cast), err)
	}
}

func TestPromotionsSayWhatTheirRulesRead(t *testing.T) {
	known, err := Promotions(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got := known["abandoned-cart"]; got.Name == "" || !slices.Equal(got.Reads, []string{shop.EventAdded, shop.EventPurchase}) {
		t.Errorf("abandoned-cart is %+v", got)
	}
	if got := known["house-banner"].Reads; len(got) != 0 {
		t.Errorf("house-banner reads %v", got)
	}
}
