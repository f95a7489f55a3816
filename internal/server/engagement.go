package server

import (
	"encoding/json"
	"time"

	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/strictjson"

	"github.com/valyala/fasthttp"
)

// Limits of an engagement.
const (
	maxCount           = 1000
	maxEngagementID    = 256
	engagementIDPrefix = "engagement:" // apart from the ids of a backend's events, which an app must not be able to overwrite
)

type engagementBody struct {
	UserID    *string    `json:"userId"`
	MessageID string     `json:"messageId"`
	Kind      string     `json:"kind"`
	Count     *int64     `json:"count"`
	At        *time.Time `json:"at"`
	ID        string     `json:"id"`
}

// engagementProperties is what a reserved event holds, by the property names of profile.NewSchema.
type engagementProperties struct {
	Promotion  string `json:"promotion"`
	Placement  int32  `json:"placement"`
	CampaignID int32  `json:"campaignId,omitempty"`
	Count      int64  `json:"count"`
}

// engagement answers POST /v1/engagement.
func (s *Server) engagement(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body engagementBody
	if err := strictjson.Unmarshal(ctx.PostBody(), &body); err != nil {
		return strictjson.Explain(err)
	}
	user, p := s.engaged(st, body.UserID)
	if p != nil {
		return p
	}
	event, p := s.reserved(&body)
	if p != nil {
		return p
	}
	event.UserID = user
	rs := s.deps.Rulesets.Load(st.caller.project())
	if rs == nil {
		return noRuleset()
	}
	// An app may report a message long after its promotion is gone. That is no fault of the app, which would only send it again.
	promotion, placement, known := rules.ParseMessageID(body.MessageID)
	compiled, live := rs.Promotion(promotion)
	if !known || !live {
		return s.reply(ctx, stampAnswer{AsOf: s.deps.Clock.Now()})
	}
	count := int64(1)
	if body.Count != nil {
		count = *body.Count
	}
	event.Properties, _ = json.Marshal(engagementProperties{ // cannot fail: strings and integers
		Promotion: promotion, Placement: placement, CampaignID: compiled.CampaignID, Count: count,
	})
	at, refused, p := s.storeEvents(st.caller.project(), []profile.NewEvent{event}, &checker{})
	switch {
	case p != nil:
		return p
	case len(refused) > 0:
		return problem.New(refused[0].Code, refused[0].Detail)
	}
	return s.reply(ctx, stampAnswer{AsOf: at})
}

// reserved makes the event of a body, without its user and properties.
func (s *Server) reserved(body *engagementBody) (profile.NewEvent, *problem.Problem) {
	var e profile.NewEvent
	switch body.Kind {
	case "impression":
		e.Name = profile.EventImpression
	case "click":
		e.Name = profile.EventClick
	case "dismiss":
		e.Name = profile.EventDismiss
	case "":
		return e, problem.New("missing_field", "say what happened: impression, click or dismiss").At("kind")
	default:
		return e, problem.New("invalid_value", "want impression, click or dismiss").At("kind")
	}
	switch {
	case body.MessageID == "":
		return e, problem.New("missing_field", "name the message").At("messageId")
	case body.Count != nil && (*body.Count < 1 || *body.Count > maxCount):
		return e, problem.New("out_of_range", "count is 1 to %d", maxCount).At("count")
	case len(body.ID) > maxEngagementID || !validEventID(body.ID):
		return e, problem.New("invalid_value", "an id is at most %d bytes without control characters", maxEngagementID).At("id")
	}
	if body.ID != "" {
		e.ID = engagementIDPrefix + body.ID
	}
	if body.At != nil {
		if p := s.checkTime(*body.At, "at"); p != nil {
			return e, p
		}
		e.OccurredAt = *body.At
	}
	return e, nil
}

// engaged is the user of an engagement: the one of the token if the key demands one, else the one of the body.
func (s *Server) engaged(st *state, named *string) (string, *problem.Problem) {
	token := st.caller.subject
	if named != nil && !profile.ValidUserID(*named) {
		return "", badUserID()
	}
	if token.UserID == "" && token.Email == "" {
		if named == nil {
			return "", problem.New("missing_field", "name the user").At("userId")
		}
		return *named, nil
	}
	user, p := s.tokenUser(st)
	if p == nil && named != nil && *named != user {
		p = mismatch()
	}
	return user, p
}
