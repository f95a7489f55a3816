package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"eligibility/internal/reserve"
	"eligibility/internal/rules"
)

// settled is the results of a settlement as one text.
func (a *answer) settled(t *testing.T) string {
	t.Helper()
	var body struct {
		Results []struct {
			UserID, SendID, State string
			Error                 struct{ Code string }
		}
		AsOf string
	}
	if err := json.Unmarshal(a.body, &body); err != nil || a.status != 200 || body.AsOf == "" {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	var out []string
	for _, r := range body.Results {
		out = append(out, fmt.Sprint(r.UserID, " ", r.SendID, " ", r.State, r.Error.Code))
	}
	return strings.Join(out, "|")
}

// sparing publishes german with one send to each user in an hour, and so many in all.
func (p *plane) sparing(limit int64) {
	p.t.Helper()
	p.publish("shop", rules.Promotion{
		ID: "german", Rule: "user.country == 'DE'", Placements: target(101, 1), Channels: []string{"push", "whatsapp"},
		Send: &rules.Send{SendLimit: limit, Caps: []rules.SendCap{{Sends: 1, Per: rules.Duration(time.Hour)}}},
	})
}

func TestSendsAreReservedConfirmedAndReleased(t *testing.T) {
	p := newPlane(t)
	p.sparing(2)
	for _, user := range []string{"a", "b", "c", "d"} {
		p.put(user, `{"attributes":{"country":"DE"},"consent":{"whatsapp":true}}`)
	}
	p.put("f", `{"attributes":{"country":"FR"},"consent":{"whatsapp":true}}`)
	ask := func(users string) *answer {
		return p.call("POST", "/v1/precheck", serverKey, `{"promotion":"german","channel":"whatsapp","users":[`+users+`]}`)
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", what, got, want)
		}
	}
	first := ask(`{"userId":"a","reserve":{"sendId":"1"}},{"userId":"a","reserve":{"sendId":"2","for":"5m"}},{"userId":"f","reserve":{"sendId":"1"}},
		{"userId":"b","reserve":{"sendId":"1"}},{"userId":"c","reserve":{"sendId":"1"}},{"userId":"c"},{"userId":"a","reserve":{"sendId":"1"}},
		{"userId":"d","reserve":{"sendId":""}},{"userId":"d","reserve":{"sendId":"1","for":"1h"}},{"userId":"d","reserve":{"sendId":"1","for":"soon"}}`)
	lines, sum := first.lines(t)
	want("reserved", strings.Join(lines, "|"), "a: true eligible|a: false send_cap|f: false rule_false|b: true eligible|c: false send_limit|c: true eligible|"+
		"a: true eligible|d: invalid_reservation|d: invalid_reservation|d: invalid_reservation")
	if sum["eligible"] != 4.0 || sum["failed"] != 3.0 || strings.Count(string(first.body), `"reservation":{"sendId":"1","expiresAt":"`) != 3 {
		t.Errorf("%v in %s", sum, first.body)
	}
	confirm := `{"sends":[{"userId":"a","sendId":"1"},{"userId":"a","sendId":"2"},{"userId":"","sendId":"1"},{"userId":"d","sendId":"9","sent":true,"promotion":"german","channel":"sms"},
		{"userId":"d","sendId":"9","promotion":"german","channel":"sms"}]}`
	const confirmed = "a 1 confirmed|a 2 unknown| 1 invalid_user_id|d 9 confirmed|d 9 invalid_reservation"
	for range 2 {
		want("confirmed", p.call("POST", pathConfirm, serverKey, confirm).settled(t), confirmed)
	}
	want("released", p.call("POST", pathRelease, serverKey, `{"sends":[{"userId":"b","sendId":"1"},{"userId":"a","sendId":"1"}]}`).settled(t), "b 1 released|a 1 confirmed")
	// The snapshot knows what was confirmed, the ledger what is reserved.
	lines, _ = ask(`{"userId":"a","reserve":{"sendId":"3"}},{"userId":"c","reserve":{"sendId":"1"}},{"userId":"b","reserve":{"sendId":"1"}}`).lines(t)
	want("after it", strings.Join(lines, "|"), "a: false send_cap|c: true eligible|b: false send_limit")
}

func TestReservationsAreRefusedWhole(t *testing.T) {
	p := newPlane(t)
	many := strings.Repeat(`{"userId":"a","sendId":"1"},`, reserve.MaxBatch) + `{"userId":"a","sendId":"1"}`
	for _, c := range []struct{ name, path, key, body, want string }{
		{"both lists", "/v1/precheck", serverKey, `{"promotion":"german","channel":"push","userIds":["a"],"users":[{"userId":"a"}]}`, "400 invalid_value"},
		{"no users", "/v1/precheck", serverKey, `{"promotion":"german","channel":"push","users":[]}`, "400 out_of_range"},
		{"too many users", "/v1/precheck", serverKey, `{"promotion":"german","channel":"push","users":[` + strings.Repeat(`{"userId":"a"},`, 1000) + `{"userId":"a"}]}`, "413 too_many_users"},
		{"another field", "/v1/precheck", serverKey, `{"promotion":"german","channel":"push","users":[{"userId":"a","reserve":{"sendId":"1","until":"noon"}}]}`, "400 unknown_field"},
		{"no sends", pathConfirm, serverKey, `{"sends":[]}`, "400 out_of_range"},
		{"too many sends", pathConfirm, serverKey, `{"sends":[` + many + `]}`, "413 too_many_items"},
		{"a client's key", pathConfirm, clientKey, `{"sends":[{"userId":"a","sendId":"1"}]}`, "403 forbidden"},
		{"no JSON", pathRelease, serverKey, `{`, "400 invalid_json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := p.call("POST", c.path, c.key, c.body)
			var fault struct{ Code string }
			_ = json.Unmarshal(a.body, &fault)
			if got := fmt.Sprint(a.status, " ", fault.Code); got != c.want {
				t.Errorf("got %s, want %s: %s", got, c.want, a.body)
			}
		})
	}
}
