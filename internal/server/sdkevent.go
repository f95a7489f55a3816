package server

import (
	"encoding/json"

	"eligibility/internal/access"
	"eligibility/internal/problem"
	"eligibility/internal/profile"

	"github.com/valyala/fasthttp"
)

// sdkEventBody is a user event as an app or a backend tracks it.
type sdkEventBody struct {
	who
	Name       string                     `json:"eventName"`
	ID         string                     `json:"id"`
	CreatedAt  json.RawMessage            `json:"createdAt"`
	DataFields map[string]json.RawMessage `json:"dataFields"`
	CampaignID json.RawMessage            `json:"campaignId"`
	TemplateID json.RawMessage            `json:"templateId"`
}

// appEventPrefix keeps the ids that an app chooses apart from a backend's, which it must not be able to overwrite.
const appEventPrefix = "app:"

// sdkTrack answers POST /api/events/track.
func (s *Server) sdkTrack(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body sdkEventBody
	rs, p := s.sdkRead(ctx, st, &body)
	if p != nil {
		return p
	}
	t, p := s.addressee(st, body.who)
	if p != nil {
		return p
	}
	check := checker{schema: rs.Schema}
	event, p := s.tracked(st, &check, &body)
	if p != nil {
		return p
	}
	if p := s.storeTracked(st, t, event, &check); p != nil {
		return p
	}
	return sdkBody(ctx, sdkSuccess)
}

func (s *Server) storeTracked(st *state, t addressee, event profile.NewEvent, check *checker) (p *problem.Problem) {
	if event.UserID, p = s.identified(st, t); p != nil {
		return p
	}
	_, refused, p := s.storeEvents(st.caller.project(), []profile.NewEvent{event}, check)
	if p == nil && len(refused) > 0 {
		p = problem.New(refused[0].Code, refused[0].Detail)
	}
	return p
}

// tracked checks an event, all but its user.
func (s *Server) tracked(st *state, check *checker, body *sdkEventBody) (profile.NewEvent, *problem.Problem) {
	e := profile.NewEvent{Name: body.Name, ID: body.ID}
	if e.ID != "" && st.caller.entry.Kind == access.Client {
		e.ID = appEventPrefix + e.ID
	}
	var p *problem.Problem
	switch {
	case e.Name == "":
		return e, problem.New("missing_field", "name the event").At("eventName")
	case !validName(e.Name):
		return e, problem.New("invalid_value", "a name is 1 to %d bytes without control characters", profile.MaxNameBytes).At("eventName")
	case profile.IsReserved(e.Name):
		return e, problem.New("invalid_value", "events named %s… and %s are the engine's own", profile.ReservedEvents, profile.EventSend).At("eventName")
	case len(e.ID) > profile.MaxEventIDBytes || !validEventID(e.ID):
		return e, problem.New("invalid_value", "an id is at most %d bytes without control characters", profile.MaxEventIDBytes).At("id")
	}
	if e.OccurredAt, p = s.createdAt(body.CreatedAt); p != nil {
		return e, p
	}
	for name, raw := range map[string]json.RawMessage{"campaignId": body.CampaignID, "templateId": body.TemplateID} {
		if _, given := body.DataFields[name]; len(raw) > 0 && string(raw) != "null" && !given {
			if body.DataFields == nil {
				body.DataFields = make(map[string]json.RawMessage)
			}
			body.DataFields[name] = raw
		}
	}
	if len(body.DataFields) > 0 {
		text, err := json.Marshal(body.DataFields)
		if err != nil {
			return e, s.explain(err)
		}
		e.Properties = text
	}
	if len(e.Properties) > profile.MaxPropertiesBytes {
		return e, problem.New("event_too_large", "data fields may take %d bytes", profile.MaxPropertiesBytes).At("dataFields")
	}
	return e, check.properties(e.Name, e.Properties)
}

// The events and the field that commerce makes. The field holds what is in the cart, until it is bought.
const (
	eventPurchase = "purchase"
	eventCart     = "cart_updated"
	fieldCart     = "shoppingCartItems"
)

// sdkCommerceBody is a purchase, or what is in the cart.
type sdkCommerceBody struct {
	User struct {
		who
		DataFields  map[string]json.RawMessage `json:"dataFields"`
		MergeNested bool                       `json:"mergeNestedObjects"`
	} `json:"user"`
	ID         string                     `json:"id"`
	Items      []json.RawMessage          `json:"items"`
	Total      *float64                   `json:"total"`
	CreatedAt  json.RawMessage            `json:"createdAt"`
	DataFields map[string]json.RawMessage `json:"dataFields"`
	CampaignID json.RawMessage            `json:"campaignId"`
	TemplateID json.RawMessage            `json:"templateId"`
}

// sdkCommerce answers POST /api/commerce/trackPurchase and updateCart: an event with its total and number of items, and the cart as a
// field of the user.
func (s *Server) sdkCommerce(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body sdkCommerceBody
	rs, p := s.sdkRead(ctx, st, &body)
	if p != nil {
		return p
	}
	if len(body.Items) > maxItems {
		return problem.New("too_many", "at most %d items", maxItems).At("items")
	}
	t, p := s.addressee(st, body.User.who)
	if p != nil {
		return p
	}
	event := sdkEventBody{
		Name: eventPurchase, ID: body.ID, CreatedAt: body.CreatedAt, CampaignID: body.CampaignID, TemplateID: body.TemplateID,
	}
	cart := json.RawMessage("null") // bought
	if st.call.id == sdkCart {
		event.Name = eventCart
		if cart, p = s.encode(body.Items); p != nil {
			return p
		}
	}
	if event.DataFields, p = s.basket(&body); p != nil {
		return p
	}
	check := checker{schema: rs.Schema}
	tracked, p := s.tracked(st, &check, &event)
	if p != nil {
		return p
	}
	if p := s.sdkStore(st, rs.Schema, &t, withField(body.User.DataFields, fieldCart, cart), body.User.MergeNested); p != nil {
		return p
	}
	if p := s.storeTracked(st, t, tracked, &check); p != nil {
		return p
	}
	return sdkBody(ctx, sdkSuccess)
}

// basket is the properties of a commerce event: those that were sent, its total, and how many items of what it holds. Rules read
// scalars, so that the items themselves stay in the user's field.
func (s *Server) basket(body *sdkCommerceBody) (map[string]json.RawMessage, *problem.Problem) {
	total, count := 0.0, 0.0
	for _, raw := range body.Items {
		var item struct {
			Price    float64  `json:"price"`
			Quantity *float64 `json:"quantity"`
		}
		if json.Unmarshal(raw, &item) != nil {
			return nil, problem.New("invalid_value", "an item has a price and a quantity, both numbers").At("items")
		}
		n := 1.0
		if item.Quantity != nil {
			n = *item.Quantity
		}
		total, count = total+item.Price*n, count+n
	}
	if body.Total != nil {
		total = *body.Total
	}
	fields := make(map[string]json.RawMessage, len(body.DataFields)+2)
	for name, raw := range body.DataFields {
		fields[name] = raw
	}
	for name, number := range map[string]float64{"total": total, "itemCount": count} {
		raw, p := s.encode(number)
		if p != nil {
			return nil, p
		}
		fields[name] = raw
	}
	return fields, nil
}

func (s *Server) encode(v any) (json.RawMessage, *problem.Problem) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, problem.New("out_of_range", "a number is beyond 64 bits")
	}
	return raw, nil
}

func withField(fields map[string]json.RawMessage, name string, raw json.RawMessage) map[string]json.RawMessage {
	if fields == nil {
		fields = make(map[string]json.RawMessage, 1)
	}
	fields[name] = raw
	return fields
}
