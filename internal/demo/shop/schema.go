package shop

import (
	"fmt"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// Attribute is one declaration of the shop's profile schema.
type Attribute struct {
	Name       string
	Type       profile.Type
	ServerOnly bool
}

// EventType is one declaration of what shoppers do.
type EventType struct {
	Name       string
	Properties map[string]profile.Type
}

// The names of the shop's event types.
const (
	EventOpened   = "app_opened"
	EventViewed   = "product_viewed"
	EventSearch   = "search"
	EventAdded    = "cart_added"
	EventRemoved  = "cart_removed"
	EventPurchase = "purchase"
	EventInbound  = "whatsapp_inbound"
)

// The placements of the shop's app.
const (
	HomeBanner  int32 = 101
	ProductCard int32 = 102
	Checkout    int32 = 103
	Account     int32 = 104
	StartScreen int32 = 105
)

var (
	boolean   = profile.Type{Kind: profile.Bool}
	integer   = profile.Type{Kind: profile.Int}
	double    = profile.Type{Kind: profile.Double}
	text      = profile.Type{Kind: profile.String}
	timestamp = profile.Type{Kind: profile.Timestamp}
)

// Attributes lists what the shop knows about a shopper beside the built-in attributes.
func Attributes() []Attribute {
	return []Attribute{
		{Name: "firstName", Type: text},
		{Name: "lastName", Type: text},
		{Name: "country", Type: text},
		{Name: "language", Type: text},
		{Name: "currency", Type: text},
		{Name: "age", Type: integer},
		{Name: "nextBirthday", Type: timestamp}, // local midnight of the day; today's as long as it is today
		{Name: "signedUpAt", Type: timestamp},
		{Name: "lastSeenAt", Type: timestamp},
		{Name: "lifetimeValue", Type: double, ServerOnly: true},
		{Name: "orders", Type: integer, ServerOnly: true},
		{Name: "vip", Type: boolean, ServerOnly: true},
		{Name: "loyaltyTier", Type: text, ServerOnly: true},
		{Name: "cartValue", Type: double},
		{Name: "favouriteCategory", Type: text},
		{Name: "interests", Type: profile.Type{Kind: profile.Double, Shape: profile.Map}}, // share of views by category
		{Name: "tags", Type: profile.Type{Kind: profile.String, Shape: profile.List}},
		{Name: "preferredStore", Type: text},
		{Name: "appVersion", Type: text},
		{Name: "address.city", Type: text},
		{Name: "address.postcode", Type: text},
	}
}

// EventTypes lists what shoppers do, with the typed properties.
func EventTypes() []EventType {
	item := func(more map[string]profile.Type) map[string]profile.Type {
		properties := map[string]profile.Type{"productId": text, "category": text, "price": double}
		for name, typ := range more {
			properties[name] = typ
		}
		return properties
	}
	return []EventType{
		{Name: EventOpened, Properties: map[string]profile.Type{"platform": text, "appVersion": text}},
		{Name: EventViewed, Properties: item(nil)},
		{Name: EventSearch, Properties: map[string]profile.Type{"query": text, "results": integer}},
		{Name: EventAdded, Properties: item(map[string]profile.Type{"quantity": integer})},
		{Name: EventRemoved, Properties: item(nil)},
		{Name: EventPurchase, Properties: map[string]profile.Type{
			"orderId": text, "total": double, "items": integer, "category": text, "coupon": text,
		}},
		{Name: EventInbound, Properties: map[string]profile.Type{"topic": text}},
	}
}

// Context lists what the app says about a request. The first three are in every new project.
func Context() []rules.ContextField {
	return []rules.ContextField{
		{Name: "platform", Type: text}, {Name: "appVersion", Type: text}, {Name: "locale", Type: text}, {Name: "cartTotal", Type: double},
	}
}

// Placements lists where the app shows messages.
func Placements() []rules.Placement {
	return []rules.Placement{
		{Placement: HomeBanner, Name: "home banner", Limit: 1},
		{Placement: ProductCard, Name: "product card", Limit: 3},
		{Placement: Checkout, Name: "checkout", Limit: 1},
		{Placement: Account, Name: "account page", Limit: 2},
		{Placement: StartScreen, Name: "start screen", Limit: 1},
	}
}

// Schema is the declarations as one schema, for tests and tools that have no store.
func Schema() (*profile.Schema, error) {
	schema := profile.NewSchema()
	var err error
	for _, a := range Attributes() {
		if schema, err = schema.WithAttribute(a.Name, a.Type, a.ServerOnly); err != nil {
			return nil, fmt.Errorf("declare attribute: %w", err)
		}
	}
	for _, e := range EventTypes() {
		if schema, err = schema.WithEventType(e.Name, e.Properties); err != nil {
			return nil, fmt.Errorf("declare event type: %w", err)
		}
	}
	return schema, nil
}
