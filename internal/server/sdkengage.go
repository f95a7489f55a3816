package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"time"

	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
	"eligibility/internal/strictjson"

	"github.com/valyala/fasthttp"
)

// maxImpressions bounds one session: more messages than an app ever shows.
const maxImpressions = 1000

// sdkEngagement is what an app says about one message.
type sdkEngagement struct {
	who
	MessageID string          `json:"messageId"`
	Button    string          `json:"buttonIdentifier"`
	CreatedAt json.RawMessage `json:"createdAt"`
}

// sdkSessionBody is what an app says about all messages that it showed in one go.
type sdkSessionBody struct {
	who
	Session struct {
		ID    string          `json:"id"`
		Start json.RawMessage `json:"start"`
		End   json.RawMessage `json:"end"`
	} `json:"session"`
	Impressions []sdkImpression `json:"impressions"`
	CreatedAt   json.RawMessage `json:"createdAt"`
}

type sdkImpression struct {
	MessageID    string  `json:"messageId"`
	DisplayCount float64 `json:"displayCount"`
}

// sdkEngage answers received, click and dismiss. That a message was received is no user event: the answer that brought it was counted.
func (s *Server) sdkEngage(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body sdkEngagement
	if err := strictjson.UnmarshalKnown(ctx.PostBody(), &body); err != nil {
		return strictjson.Explain(err)
	}
	if body.MessageID == "" {
		return problem.New("missing_field", "name the message").At("messageId")
	}
	name := profile.EventClick
	switch st.call.id {
	case sdkReceived:
		name = ""
	case sdkDismiss:
		name = profile.EventDismiss
	}
	at := s.happened(body.CreatedAt)
	e := profile.NewEvent{Name: name, OccurredAt: at}
	if !at.IsZero() { // a replay says the same time again
		e.ID = replayID(name, body.MessageID, body.Button, at.Format(time.RFC3339Nano))
	}
	return s.engage(ctx, st, body.who, []engagedMessage{{id: body.MessageID, count: 1, event: e}})
}

// sdkSession answers the report of a session. Each of its impressions is stored once, however often the report is sent.
func (s *Server) sdkSession(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body sdkSessionBody
	if err := strictjson.UnmarshalKnown(ctx.PostBody(), &body); err != nil {
		return strictjson.Explain(err)
	}
	if len(body.Impressions) > maxImpressions {
		return problem.New("too_many", "at most %d impressions", maxImpressions).At("impressions")
	}
	at := s.happened(body.Session.End)
	if at.IsZero() {
		at = s.happened(body.CreatedAt)
	}
	counts := make(map[string]int64, len(body.Impressions))
	var list []engagedMessage
	for _, shown := range body.Impressions {
		n := int64(min(max(shown.DisplayCount, 0), maxCount)) // of an SDK's floating point
		if n < 1 || math.IsNaN(shown.DisplayCount) {
			continue
		}
		if counts[shown.MessageID] == 0 {
			e := profile.NewEvent{Name: profile.EventImpression, OccurredAt: at}
			if body.Session.ID != "" {
				e.ID = replayID(e.Name, shown.MessageID, body.Session.ID)
			}
			list = append(list, engagedMessage{id: shown.MessageID, event: e})
		}
		counts[shown.MessageID] = min(counts[shown.MessageID]+n, maxCount)
	}
	for i := range list {
		list[i].count = counts[list[i].id]
	}
	return s.engage(ctx, st, body.who, list)
}

// replayID is the id of an event that an app may report more than once. It is of fixed length and of our own making, whatever the app
// says.
func replayID(name string, parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = h.Write([]byte(part))
		_, _ = h.Write([]byte{0})
	}
	return engagementIDPrefix + name + ":" + hex.EncodeToString(h.Sum(nil)[:16])
}

// engagedMessage is one message that something happened with.
type engagedMessage struct {
	id    string
	count int64
	event profile.NewEvent // without user and properties; without a name it is not stored
}

// engage stores what can be stored of a report and answers with success whatever it was about: an app may report a message long after
// its promotion is gone, and a refusal would only make it lose the rest or send it again.
func (s *Server) engage(ctx *fasthttp.RequestCtx, st *state, w who, list []engagedMessage) *problem.Problem {
	t, p := s.addressee(st, w)
	if p != nil {
		return p
	}
	rs := s.deps.Rulesets.Load(st.caller.project())
	if rs == nil {
		return noRuleset()
	}
	var events []profile.NewEvent
	for i := range list {
		m := &list[i]
		promotion, placement, known := rules.ParseMessageID(m.id)
		compiled, live := rs.Promotion(promotion)
		if !known || !live || m.event.Name == "" || t.user == "" {
			continue
		}
		m.event.UserID = t.user
		m.event.Properties, _ = json.Marshal(engagementProperties{ // cannot fail: strings and integers
			Promotion: promotion, Placement: placement, CampaignID: compiled.CampaignID, Count: m.count,
		})
		events = append(events, m.event)
	}
	if _, _, p := s.storeEvents(st.caller.project(), events, &checker{}); p != nil {
		return p
	}
	return sdkBody(ctx, sdkSuccess)
}
