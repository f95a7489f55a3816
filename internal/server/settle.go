package server

import (
	"slices"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/precheck"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/reserve"
	"eligibility/internal/rules"
	"eligibility/internal/strictjson"

	"github.com/valyala/fasthttp"
)

type settleBody struct {
	Sends []settleItem `json:"sends"`
}

// settleItem names one send. Sent, Promotion and Channel are for confirming alone.
type settleItem struct {
	UserID    string `json:"userId"`
	SendID    string `json:"sendId"`
	Sent      bool   `json:"sent"`
	Promotion string `json:"promotion"`
	Channel   string `json:"channel"`
}

// settled answers one send: its state, or why it was not looked at.
type settled struct {
	UserID string        `json:"userId"`
	SendID string        `json:"sendId"`
	State  reserve.State `json:"state,omitempty"`
	Error  *itemFault    `json:"error,omitempty"`
}

type itemFault struct {
	Code string `json:"code"`
}

// settle answers POST /v1/precheck/reservations:confirm and :release.
func (s *Server) settle(ctx *fasthttp.RequestCtx, st *state) *problem.Problem {
	var body settleBody
	if err := strictjson.Unmarshal(ctx.PostBody(), &body); err != nil {
		return strictjson.Explain(err)
	}
	switch {
	case len(body.Sends) == 0:
		return problem.New("out_of_range", "name at least one send").At("sends")
	case len(body.Sends) > reserve.MaxBatch:
		return problem.New("too_many_items", "at most %d sends", reserve.MaxBatch).At("sends")
	}
	project := st.caller.project()
	results, list, places := s.settlements(project, st.route == RouteRelease, body.Sends)
	at := s.deps.Clock.Now()
	if len(list) > 0 {
		bounded, cancel := s.bounded()
		defer cancel()
		states, stamp, err := s.deps.Book.Settle(bounded, project, list)
		if err != nil {
			return s.explain(err)
		}
		at = stamp
		set := changeSet{project: project, at: at}
		for i, state := range states {
			results[places[i]].State = state
			if state == reserve.Confirmed {
				set.add(events.TableProfile, list[i].User)
			}
		}
		s.announce(set.changes)
	}
	return s.reply(ctx, struct {
		Results []settled     `json:"results"`
		AsOf    hlc.Timestamp `json:"asOf"`
	}{results, at})
}

// settlements makes the list of what can be settled; places says of which result each is.
func (s *Server) settlements(project string, release bool, items []settleItem) (results []settled, list []reserve.Settlement, places []int) {
	rs := s.deps.Rulesets.Load(project)
	results = make([]settled, len(items))
	for i := range items {
		item := &items[i]
		results[i] = settled{UserID: item.UserID, SendID: item.SendID}
		switch {
		case !profile.ValidUserID(item.UserID):
			results[i].Error = &itemFault{precheck.CodeUserID}
			continue
		case !precheck.ValidSendID(item.SendID) || release && (item.Sent || item.Promotion != "" || item.Channel != "") || !item.bare() && !item.whole():
			results[i].Error = &itemFault{precheck.CodeReservation}
			continue
		}
		t := reserve.Settlement{
			User: item.UserID, SendID: item.SendID, Release: release, Sent: item.Sent, Promotion: item.Promotion, Channel: item.Channel,
		}
		if rs != nil {
			if p, ok := rs.Promotion(item.Promotion); ok {
				t.CampaignID = p.CampaignID
			}
		}
		list, places = append(list, t), append(places, i)
	}
	return results, list, places
}

// bare reports whether the item leaves it to its reservation what was sent; whole, whether it says so itself.
func (i *settleItem) bare() bool { return i.Promotion == "" && i.Channel == "" }

func (i *settleItem) whole() bool {
	return i.Sent && rules.ValidPromotionID(i.Promotion) && i.Channel != "embedded" && slices.Contains(profile.Channels, i.Channel)
}
