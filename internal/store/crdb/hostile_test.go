package crdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"eligibility/internal/profile"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestRowsOfOtherWritersNeverBreakALoad puts into the tables what this store would not: the user's value is invalid or passed over, and
// the neighbour is read.
func TestRowsOfOtherWritersNeverBreakALoad(t *testing.T) {
	t.Parallel()
	s := replicas(t, 1)[0]
	slot := len(profile.NewSchema().Attributes)
	for name, c := range map[string]struct {
		attrs, consent, email string
		at                    string // of an event
		broken                bool
		state                 profile.State
	}{
		"a number beyond every double":       {attrs: `{"n":1E+400}`, state: profile.Invalid},
		"an integer of thirty digits":        {attrs: `{"n":123456789012345678901234567890}`, state: profile.Invalid},
		"an object where a number should be": {attrs: `{"n":{"a":1}}`, state: profile.Invalid},
		"a list instead of an object":        {attrs: `[1,2]`, broken: true, state: profile.Invalid},
		"a bare null":                        {attrs: `null`, broken: true, state: profile.Invalid},
		"a value of a thousand levels":       {attrs: `{"n":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, state: profile.Invalid},
		"consent that is none":               {attrs: `{"n":1}`, consent: `["push"]`, state: profile.Present},
		"consent of another type":            {attrs: `{"n":1}`, consent: `{"push":"yes","sms":true}`, state: profile.Present},
		"an address in capitals":             {attrs: `{"n":1}`, email: "A@B.C", state: profile.Present},
		"an event at no time":                {attrs: `{"n":1}`, at: "infinity", state: profile.Present},
		"an event in the year 9999":          {attrs: `{"n":1}`, at: "9999-12-31", state: profile.Present},
		"a row of 200 kilobytes":             {attrs: `{"n":1,"big":"` + strings.Repeat("x", 200_000) + `"}`, state: profile.Present},
	} {
		t.Run(name, func(t *testing.T) {
			bad, good := profile.Key{Project: "p", User: "bad " + name}, profile.Key{Project: "p", User: "good"}
			if c.consent == "" {
				c.consent = "{}"
			}
			if c.at == "" {
				c.at = "-infinity"
			}
			execute(t, s, `INSERT INTO profiles (project_id, user_id, attrs, consent, email) VALUES ($1, $2, $3::JSONB, $4::JSONB, $5)`,
				"p", bad.User, c.attrs, c.consent, c.email)
			execute(t, s, `INSERT INTO user_events (project_id, user_id, event_id, name, occurred_at, expires_at)
			VALUES ($1, $2, 'e', 'step', $3::TEXT::TIMESTAMPTZ, 'infinity')`,
				"p", bad.User, c.at)
			if _, _, err := s.PutUsers(t.Context(), "p", []profile.Update{{UserID: good.User, Attributes: attributes(`{"n":7}`)}}); err != nil {
				t.Fatal(err)
			}
			for _, keys := range [][]profile.Key{{bad}, {bad, good}, {bad, good, {Project: "other", User: "u"}}} {
				dst := make([]*profile.Snapshot, len(keys))
				if err := s.Load(t.Context(), keys, dst); err != nil {
					t.Fatalf("load of %d: %v", len(keys), err)
				}
				if got := dst[0]; !got.Found || got.Broken != c.broken || got.State(slot) != c.state || got.Events(firstDeclared).Len() != 0 {
					t.Errorf("load of %d: found %t, broken %t, state %d, %d events", len(keys), got.Found, got.Broken, got.State(slot), got.Events(firstDeclared).Len())
				}
				if len(keys) > 1 && dst[1].Int(slot) != 7 {
					t.Error("the neighbour suffers")
				}
			}
			if _, err := s.ReadUser(t.Context(), bad, 10); err != nil {
				t.Errorf("the record is not readable: %v", err)
			}
			// The owner's next update repairs the row.
			if _, refused, err := s.PutUsers(t.Context(), "p", []profile.Update{{UserID: bad.User, Attributes: attributes(`{"n":1,"big":null}`)}}); err != nil || len(refused) > 0 {
				t.Errorf("repair: %v, %v", refused, err)
			}
		})
	}
}

// TestItemsThatNoColumnTakesAreRefusedAlone: the others of the batch are stored.
func TestItemsThatNoColumnTakesAreRefusedAlone(t *testing.T) {
	t.Parallel()
	s := replicas(t, 1)[0]
	for name, value := range map[string]string{
		"a zero character":       `"a\u0000b"`,
		"half a surrogate pair":  `"\ud800"`,
		"a zero in a name":       `{"a\u0000":1}`,
		"an exponent of a book":  `1e200000`,
		"a number of a book":     strings.Repeat("9", 2000),
		"ten thousand levels":    strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
		"not JSON":               `{`,
		"two values":             `1 2`,
		"bytes that are no text": "\"\xff\"",
		"nothing":                ``,
	} {
		t.Run(name, func(t *testing.T) {
			_, refused, err := s.PutUsers(t.Context(), "p", []profile.Update{
				{UserID: "u", Attributes: map[string]json.RawMessage{"n": json.RawMessage(value)}}, {UserID: "v", Attributes: attributes(`{"n":1}`)},
			})
			if err != nil || len(refused) != 1 || refused[0].Index != 0 || refused[0].Code != "invalid_value" {
				t.Errorf("users: refused %v, %v", refused, err)
			}
			if len(value) == 0 || len(value) > profile.MaxPropertiesBytes {
				return
			}
			_, refused, err = s.PutEvents(t.Context(), "p", []profile.NewEvent{
				{UserID: "u", Name: "step", Properties: json.RawMessage(value)}, {UserID: "v", Name: "step"},
			})
			if err != nil || len(refused) != 1 || refused[0].Index != 0 || refused[0].Code != "invalid_value" {
				t.Errorf("events: refused %v, %v", refused, err)
			}
		})
	}
	zero, bad := "a\x00b", "\xff"
	updates := []profile.Update{{UserID: "a", Email: &zero}, {UserID: "b", TimeZone: &bad}, {UserID: "c", Consent: map[string]*bool{zero: nil}}, {UserID: zero}}
	_, refused, err := s.PutUsers(t.Context(), "p", updates)
	if err != nil || len(refused) != len(updates) {
		t.Errorf("texts: refused %v, %v", refused, err)
	}
	_, refused, err = s.PutEvents(t.Context(), "p", []profile.NewEvent{
		{UserID: "u", Name: zero}, {UserID: "u", Name: "step", ID: bad}, {UserID: "u", Name: "step", OccurredAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
	})
	if err != nil || fmt.Sprint(len(refused)) != "3" {
		t.Errorf("events: refused %v, %v", refused, err)
	}
}

func TestClassify(t *testing.T) {
	state := func(code, message string) error {
		return fmt.Errorf("query: %w", &pgconn.PgError{Code: code, Message: message})
	}
	for name, c := range map[string]struct {
		err  error
		want fault
	}{
		"nothing":                             {nil, faultNone},
		"serialization failure":               {state("40001", "restart transaction"), faultContended},
		"deadlock":                            {state("40P01", "deadlock detected"), faultContended},
		"completion unknown":                  {state("40003", "result is ambiguous"), faultAmbiguous},
		"completion unknown, older":           {state("XXUUU", "result is ambiguous: context done during DistSender.Send"), faultAmbiguous},
		"a node that drains":                  {state("57P01", "server is shutting down"), faultLost},
		"a node that takes no clients":        {state("57P01", "server is not accepting clients, try another node"), faultLost},
		"a server that starts":                {state("57P03", "the database system is starting up"), faultLost},
		"too many connections":                {state("53300", "sorry, too many clients already"), faultBusy},
		"no memory":                           {state("53200", "root: memory budget exceeded"), faultBusy},
		"a statement cut by its time":         {state("57014", "query execution canceled due to statement timeout"), faultLost},
		"a plan that does not fit the tables": {state("0A000", "cached plan must not change result type"), faultReplan},
		"a feature that is not there":         {state("0A000", "unimplemented"), faultFinal},
		"a key that is taken":                 {state("23505", "duplicate key"), faultFinal},
		"a privilege that lacks":              {state("42501", "permission denied"), faultFinal},
		"a connection that ended":             {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), faultLost},
		"a connection that was reset":         {&net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, faultLost},
		"a deadline":                          {context.DeadlineExceeded, faultLost},
		"a fault of ours":                     {errors.New("schema: unexpected end of JSON input"), faultFinal},
	} {
		if got := classify(c.err); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}
