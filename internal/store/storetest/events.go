package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"eligibility/internal/profile"
)

// at is a time so many seconds ago, on a whole second: every store keeps it exactly.
func at(secondsAgo int) time.Time {
	return time.Now().Truncate(time.Second).Add(-time.Duration(secondsAgo) * time.Second).UTC()
}

func purchase(user, id string, occurred time.Time, total float64) profile.NewEvent {
	return profile.NewEvent{
		UserID: user, ID: id, Name: "purchase", OccurredAt: occurred,
		Properties: json.RawMessage(fmt.Sprintf(`{"total":%g}`, total)),
	}
}

// totals are the totals of the user's purchases, oldest first.
func (k *kit) totals(user string) string {
	k.t.Helper()
	e := k.events(user, "purchase")
	list := make([]string, e.Len())
	for i := range list {
		list[i] = "-"
		if e.Has(i, 0) {
			list[i] = fmt.Sprint(e.Double(i, 0))
		}
	}
	return strings.Join(list, " ")
}

func testEvents(t *testing.T, h Harness) {
	each(t, h, map[string]func(*kit){
		"events come back by time with their properties": func(k *kit) {
			k.happen(purchase("u", "", at(30), 3), purchase("u", "", at(50), 5), purchase("u", "x", at(40), 4),
				profile.NewEvent{UserID: "u", Name: "purchase", OccurredAt: at(20)},
				profile.NewEvent{UserID: "u", Name: "visit", OccurredAt: at(10)})
			equal(k.t, "totals", k.totals("u"), "5 4 3 -")
			equal(k.t, "visits", k.events("u", "visit").Len(), 1)
			equal(k.t, "a profile row", k.load("u")[0].Found, false)
		},
		"a record lists the newest events of all types first": func(k *kit) {
			k.happen(purchase("u", "p", at(30), 3), profile.NewEvent{UserID: "u", ID: "v", Name: "visit", OccurredAt: at(20)},
				profile.NewEvent{UserID: "u", ID: "z", Name: "undeclared", OccurredAt: at(10), Properties: json.RawMessage(`{"a":[1]}`)},
				purchase("u", "old", at(40), 4))
			record, err := k.s.ReadUser(k.ctx, k.key("u"), 3)
			if err != nil {
				k.t.Fatal(err)
			}
			var got []string
			for _, e := range record.Events {
				got = append(got, e.ID+" "+e.Name+" "+canonicalOrNone(k.t, e.Properties)+" "+e.OccurredAt.Format(time.RFC3339))
			}
			equal(k.t, "events", strings.Join(got, "; "), strings.Join([]string{
				`z undeclared ` + canonical(k.t, json.RawMessage(`{"a":[1]}`)) + ` ` + record.Events[0].OccurredAt.Format(time.RFC3339),
				`v visit none ` + record.Events[1].OccurredAt.Format(time.RFC3339),
				`p purchase ` + canonical(k.t, json.RawMessage(`{"total":3}`)) + ` ` + record.Events[2].OccurredAt.Format(time.RFC3339),
			}, "; "))
		},
		"a repeat of an id replaces the event": func(k *kit) {
			first := at(60)
			k.happen(purchase("u", "x", first, 1), purchase("u", "y", first, 2))
			k.happen(purchase("u", "x", first, 3))
			equal(k.t, "number", k.events("u", "purchase").Len(), 2)
			equal(k.t, "has the new total", strings.Contains(k.totals("u"), "3"), true)
		},
		"a repeat at another time moves the event": func(k *kit) {
			k.happen(purchase("u", "x", at(60), 1), purchase("u", "y", at(50), 2))
			k.happen(purchase("u", "x", at(40), 1))
			equal(k.t, "totals", k.totals("u"), "2 1")
			k.happen(purchase("u", "x", at(70), 1))
			equal(k.t, "totals after the way back", k.totals("u"), "1 2")
		},
		"a repeat under another name moves the event": func(k *kit) {
			k.happen(purchase("u", "x", at(60), 1))
			k.happen(profile.NewEvent{UserID: "u", ID: "x", Name: "visit", OccurredAt: at(60)})
			equal(k.t, "purchases", k.events("u", "purchase").Len(), 0)
			equal(k.t, "visits", k.events("u", "visit").Len(), 1)
		},
		"of one batch the last of an id wins": func(k *kit) {
			k.happen(purchase("u", "x", at(60), 1), purchase("u", "x", at(30), 2), purchase("u", "x", at(45), 3))
			equal(k.t, "totals", k.totals("u"), "3")
		},
		"ids belong to their user": func(k *kit) {
			k.happen(purchase("u", "x", at(60), 1), purchase("v", "x", at(60), 2))
			equal(k.t, "totals", k.totals("u")+" "+k.totals("v"), "1 2")
		},
		"without a time the stored one of the id stays": func(k *kit) {
			when := at(300)
			k.happen(purchase("u", "x", when, 1))
			k.happen(purchase("u", "x", time.Time{}, 2), purchase("u", "x", time.Time{}, 3))
			equal(k.t, "totals", k.totals("u"), "3")
			equal(k.t, "time", k.events("u", "purchase").At(0), when.UnixNano())
		},
		"without a time a new event happens at its commit": func(k *kit) {
			before := k.now()
			committed := k.happen(purchase("u", "x", time.Time{}, 1), purchase("u", "", time.Time{}, 2))
			happened := k.events("u", "purchase")
			for i := range happened.Len() {
				if when := happened.At(i); when < before.Wall-int64(time.Second) || when > committed.Wall {
					k.t.Errorf("time %d, want between %v and its commit %v", when, before, committed)
				}
			}
			k.happen(purchase("u", "x", time.Time{}, 3)) // keeps the time it got
			equal(k.t, "number", k.events("u", "purchase").Len(), 2)
		},
		"events without an id are all kept and get ids that replace them": func(k *kit) {
			when := at(60)
			k.happen(purchase("u", "", when, 1), purchase("u", "", when, 1))
			k.happen(purchase("u", "", when, 1))
			list := k.read("u").Events
			ids := make(map[string]bool)
			for _, e := range list {
				ids[e.ID] = e.ID != ""
			}
			if len(list) != 3 || len(ids) != 3 || ids[""] {
				k.t.Fatalf("events: %+v", list)
			}
			k.happen(purchase("u", list[0].ID, when, 9))
			equal(k.t, "number after a repeat of a made id", k.events("u", "purchase").Len(), 3)
			equal(k.t, "the repeat is there", strings.Contains(k.totals("u"), "9"), true)
		},
		"events in the future are kept": func(k *kit) {
			k.happen(purchase("u", "", at(-3600), 1))
			equal(k.t, "totals", k.totals("u"), "1")
		},
		"items that cannot be stored are named and the others stored": func(k *kit) {
			big := json.RawMessage(`{"x":"` + strings.Repeat("y", profile.MaxPropertiesBytes) + `"}`)
			_, refused, err := k.s.PutEvents(k.ctx, k.project, []profile.NewEvent{
				{UserID: "u", Name: "purchase", Properties: big}, purchase("u", "", at(1), 1), {UserID: "", Name: "purchase"},
			})
			equal(k.t, "refused", codes(refused)+fmt.Sprint(err), "0:event_too_large 2:invalid_user_id<nil>")
			equal(k.t, "totals", k.totals("u"), "1")
		},
	})
}

func testEventLimits(t *testing.T, h Harness) {
	many := func(name string, n int, newest time.Time) []profile.NewEvent {
		list := make([]profile.NewEvent, n)
		for i := range list {
			list[i] = profile.NewEvent{UserID: "u", Name: name, OccurredAt: newest.Add(-time.Duration(i) * time.Second)}
		}
		return list
	}
	each(t, h, map[string]func(*kit){
		"events beyond retention are not there": func(k *kit) {
			edge := time.Duration(h.Retention)
			k.happen(purchase("u", "old", at(0).Add(-edge-time.Minute), 1), purchase("u", "young", at(0).Add(-edge+time.Minute), 2))
			equal(k.t, "totals", k.totals("u"), "2")
			equal(k.t, "since", k.events("u", "purchase").Since(), 0)
			equal(k.t, "record", len(k.read("u").Events), 1)
			k.happen(purchase("u", "young", at(0).Add(-edge-time.Minute), 2))
			equal(k.t, "totals after a move beyond", k.totals("u"), "")
		},
		"up to the limit nothing is cut": func(k *kit) {
			k.happen(many("purchase", profile.MaxEventsPerType, at(10))...)
			e := k.events("u", "purchase")
			equal(k.t, "number", e.Len(), profile.MaxEventsPerType)
			equal(k.t, "since", e.Since(), 0)
		},
		"beyond the limit the newest are there, complete since just after the newest that is not": func(k *kit) {
			newest := at(10)
			k.happen(many("purchase", profile.MaxEventsPerType+50, newest)...)
			k.happen(many("visit", 3, newest)...)
			e := k.events("u", "purchase")
			dropped := newest.Add(-profile.MaxEventsPerType * time.Second).UnixNano()
			equal(k.t, "number", e.Len(), profile.MaxEventsPerType)
			equal(k.t, "newest", e.At(e.Len()-1), newest.UnixNano())
			if since := e.Since(); since <= dropped || since > e.At(0) {
				k.t.Errorf("since %d, want after the newest dropped %d and not after the oldest kept %d", since, dropped, e.At(0))
			}
			equal(k.t, "another type", k.events("u", "visit").Len(), 3)
			equal(k.t, "since of another type", k.events("u", "visit").Since(), 0)
		},
		"of equal times at the cut the type is complete only after them": func(k *kit) {
			newest := at(10)
			list := many("purchase", profile.MaxEventsPerType-1, newest)
			tied := newest.Add(-time.Hour)
			for range 3 {
				list = append(list, profile.NewEvent{UserID: "u", Name: "purchase", OccurredAt: tied})
			}
			k.happen(list...)
			e := k.events("u", "purchase")
			if e.Len() > profile.MaxEventsPerType || e.Since() <= tied.UnixNano() || e.Since() > newest.Add(-time.Minute*10).UnixNano() {
				k.t.Errorf("%d events since %d, want at most %d since just after %d", e.Len(), e.Since(), profile.MaxEventsPerType, tied.UnixNano())
			}
		},
		"what is beyond retention is not what was cut": func(k *kit) {
			k.happen(many("purchase", profile.MaxEventsPerType, at(10))...)
			k.happen(purchase("u", "old", at(0).Add(-h.Retention-time.Hour), 1))
			equal(k.t, "since", k.events("u", "purchase").Since(), 0)
		},
		"engagement has its own limit": func(k *kit) {
			for from := 0; from < profile.MaxEngagementPerType+20; from += 510 {
				k.happen(many(profile.EventImpression, 510, at(10+from))...)
			}
			e := k.events("u", profile.EventImpression)
			equal(k.t, "number", e.Len(), profile.MaxEngagementPerType)
			equal(k.t, "is cut", e.Since() > 0, true)
		},
	})
}
