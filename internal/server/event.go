package server

import (
	"encoding/json"
	"strings"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/strictjson"

	"github.com/valyala/fasthttp"
)

type eventItem struct {
	ID         string          `json:"id"`
	UserID     string          `json:"userId"`
	Name       string          `json:"name"`
	OccurredAt *time.Time      `json:"occurredAt"`
	Properties json.RawMessage `json:"properties"`
}

// putEvents answers POST /v1/events.
func (s *Server) putEvents(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	return putList(s, ctx, st, s.event, s.storeEvents)
}

func (s *Server) event(check *checker, raw []byte) (profile.NewEvent, *problem.Problem) {
	var item eventItem
	if err := strictjson.Unmarshal(raw, &item); err != nil {
		return profile.NewEvent{}, strictjson.Explain(err)
	}
	e := profile.NewEvent{UserID: item.UserID, ID: item.ID, Name: item.Name}
	switch {
	case !profile.ValidUserID(e.UserID):
		return e, badUserID()
	case !validEventID(e.ID):
		return e, problem.New("invalid_value", "an id is at most %d bytes without control characters", profile.MaxEventIDBytes).At("id")
	case !validName(e.Name):
		return e, problem.New("invalid_value", "a name is 1 to %d bytes without control characters", profile.MaxNameBytes).At("name")
	case e.Name == profile.EventSend:
		return e, problem.New("invalid_value", "events named %s come from confirmed sends", profile.EventSend).At("name")
	case profile.IsReserved(e.Name):
		return e, problem.New("invalid_value", "events named %s… come from POST /v1/engagement", profile.ReservedEvents).At("name")
	case len(item.Properties) > profile.MaxPropertiesBytes:
		return e, problem.New("event_too_large", "properties may take %d bytes", profile.MaxPropertiesBytes).At("properties")
	}
	if item.OccurredAt != nil {
		if p := s.checkTime(*item.OccurredAt, "occurredAt"); p != nil {
			return e, p
		}
		e.OccurredAt = *item.OccurredAt
	}
	if string(item.Properties) != "null" {
		e.Properties = item.Properties
	}
	return e, check.properties(e.Name, e.Properties)
}

// storeEvents commits the user events and announces them.
func (s *Server) storeEvents(project string, list []profile.NewEvent, check *checker) (
	at hlc.Timestamp, refused []profile.ItemError, p *problem.Problem,
) {
	if len(list) == 0 {
		return s.deps.Clock.Now(), nil, nil
	}
	bounded, cancel := s.bounded()
	defer cancel()
	at, refused, err := s.deps.Writer.PutEvents(bounded, project, list)
	if err != nil {
		return at, nil, s.explain(err)
	}
	set := changeSet{project: project, at: at}
	for i := range list {
		set.add(events.TableProfile, list[i].UserID)
	}
	s.announce(set.changes)
	s.observe(bounded, project, check)
	return at, refused, nil
}

// validEventID reports whether id, which may be empty, can name an event.
func validEventID(id string) bool {
	return id == "" || len(id) <= profile.MaxEventIDBytes && !strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f })
}
