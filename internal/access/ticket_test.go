package access

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// keysByID are the keys in force.
type keysByID map[string]*Entry

func (k keysByID) ByID(id string) (*Entry, bool) {
	e, ok := k[id]
	return e, ok
}

func TestATicketIsTakenOnceAndSoon(t *testing.T) {
	sealer, err := NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewSealer([32]byte{2})
	if err != nil {
		t.Fatal(err)
	}
	app, bank := &Entry{ID: "k1", Project: "shop"}, &Entry{ID: "k2", Project: "bank"}
	start := time.Unix(1_800_000_000, 0)
	ticket := Ticket{User: "ada", Question: []byte(`{"placements":[101]}`)}
	for _, tt := range []struct {
		name string
		edit func(text string, keys keysByID, office *Tickets) string
		wait time.Duration
		ok   bool
	}{
		{name: "at once", ok: true},
		{name: "within its life", wait: TicketLife, ok: true},
		{name: "after it", wait: TicketLife + time.Millisecond},
		{name: "used before", edit: func(text string, _ keysByID, office *Tickets) string {
			if _, _, err := office.Take(text, start); err != nil {
				t.Error(err)
			}
			return text
		}},
		{name: "used before, a minute ago", wait: TicketLife, edit: func(text string, _ keysByID, office *Tickets) string {
			if _, _, err := office.Take(text, start); err != nil {
				t.Error(err)
			}
			return text
		}},
		{name: "of a key revoked since", edit: func(text string, keys keysByID, _ *Tickets) string { delete(keys, "k1"); return text }},
		{name: "under another key's id", edit: func(text string, _ keysByID, _ *Tickets) string { return strings.Replace(text, "k1.", "k2.", 1) }},
		{name: "altered", edit: func(text string, _ keysByID, _ *Tickets) string { return text[:len(text)-2] + "AA" }},
		{name: "cut", edit: func(text string, _ keysByID, _ *Tickets) string { return text[:5] }},
		{name: "of another installation", edit: func(_ string, keys keysByID, _ *Tickets) string {
			return NewTickets(other, keys).Issue(app, ticket, start)
		}},
		{name: "nothing", edit: func(string, keysByID, *Tickets) string { return "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keys := keysByID{"k1": app, "k2": bank}
			office := NewTickets(sealer, keys)
			text := office.Issue(app, ticket, start)
			if tt.edit != nil {
				text = tt.edit(text, keys, office)
			}
			entry, got, err := office.Take(text, start.Add(tt.wait))
			if tt.ok && (err != nil || entry != app || got.User != "ada" || string(got.Question) != string(ticket.Question)) {
				t.Errorf("got %v, %+v, %v", entry, got, err)
			}
			if !tt.ok && !errors.Is(err, ErrTicket) {
				t.Errorf("taken: %v", err)
			}
		})
	}
}

func TestTicketsBeyondTheMemoryOfUsedOnesAreRefused(t *testing.T) {
	office := NewTickets(nil, nil)
	now := time.Unix(1_800_000_000, 0)
	office.first("a", now)
	for i := range maxUsed {
		office.used[strings.Repeat("x", i%7)+time.Duration(i).String()] = struct{}{}
	}
	if office.first("b", now) {
		t.Error("taken without a place to note it")
	}
	if !office.first("b", now.Add(2*TicketLife)) {
		t.Error("still refused after the used ones were over")
	}
}
