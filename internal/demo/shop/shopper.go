package shop

import (
	"encoding/json"
	"fmt"
	"time"

	"eligibility/internal/profile"
)

// Shopper is one made-up user: the profile as an ingest call would bring it, and the user events, oldest first.
type Shopper struct {
	Profile  Profile
	Platform string // of the shopper's phone: "ios" or "android"
	Events   []Event
}

// Profile is an item of POST /v1/users:bulk.
type Profile struct {
	UserID     string          `json:"userId"`
	Email      string          `json:"email"`
	TimeZone   string          `json:"timeZone"`
	Consent    map[string]bool `json:"consent"`
	Attributes Attrs           `json:"attributes"`
}

// Attrs are a shopper's attributes under the names that Attributes declares. A zero value of an omitted field means that the shop does not
// know.
type Attrs struct {
	FirstName         string             `json:"firstName"`
	LastName          string             `json:"lastName"`
	Country           string             `json:"country"`
	Language          string             `json:"language"`
	Currency          string             `json:"currency"`
	Age               int                `json:"age,omitzero"`
	NextBirthday      time.Time          `json:"nextBirthday,omitzero"`
	SignedUpAt        time.Time          `json:"signedUpAt"`
	LastSeenAt        time.Time          `json:"lastSeenAt"`
	LifetimeValue     float64            `json:"lifetimeValue"`
	Orders            int                `json:"orders"`
	VIP               bool               `json:"vip"`
	LoyaltyTier       string             `json:"loyaltyTier"`
	CartValue         float64            `json:"cartValue"`
	FavouriteCategory string             `json:"favouriteCategory"`
	Interests         map[string]float64 `json:"interests,omitempty"`
	Tags              []string           `json:"tags"`
	PreferredStore    string             `json:"preferredStore,omitempty"`
	AppVersion        string             `json:"appVersion"`
	Address           Address            `json:"address"`
}

// Address is the nested part of Attrs.
type Address struct {
	City     string `json:"city"`
	Postcode string `json:"postcode"`
}

// Event is an item of POST /v1/events.
type Event struct {
	ID         string          `json:"id"`
	UserID     string          `json:"userId"`
	Name       string          `json:"name"`
	OccurredAt time.Time       `json:"occurredAt"`
	Properties json.RawMessage `json:"properties,omitempty"`
}

// Item is the properties of product_viewed, cart_added and cart_removed.
type Item struct {
	ProductID string  `json:"productId"`
	Category  string  `json:"category"`
	Price     float64 `json:"price"`
	Quantity  int     `json:"quantity,omitzero"` // of cart_added only
}

// Order is the properties of purchase.
type Order struct {
	OrderID  string  `json:"orderId"`
	Total    float64 `json:"total"`
	Items    int     `json:"items"`
	Category string  `json:"category"` // of the dearest item
	Coupon   string  `json:"coupon,omitempty"`
}

// Opening is the properties of app_opened.
type Opening struct {
	Platform   string `json:"platform"`
	AppVersion string `json:"appVersion"`
}

// Search is the properties of search.
type Search struct {
	Query   string `json:"query"`
	Results int    `json:"results"`
}

// Inbound is the properties of whatsapp_inbound.
type Inbound struct {
	Topic string `json:"topic"`
}

// Update is the profile in the form in which a store takes it.
func (p *Profile) Update() (profile.Update, error) {
	encoded, err := json.Marshal(&p.Attributes)
	if err != nil {
		return profile.Update{}, fmt.Errorf("encode attributes: %w", err)
	}
	update := profile.Update{UserID: p.UserID, Email: &p.Email, TimeZone: &p.TimeZone, Consent: make(map[string]*bool, len(p.Consent))}
	if err := json.Unmarshal(encoded, &update.Attributes); err != nil {
		return profile.Update{}, fmt.Errorf("split attributes: %w", err)
	}
	for channel, given := range p.Consent {
		update.Consent[channel] = &given
	}
	return update, nil
}

// total is the price of the whole quantity. The conversion keeps the product from being fused with a sum, which not all machines do.
func (i *Item) total() float64 { return float64(i.Price * float64(i.Quantity)) }
