package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestPutUserRefuses(t *testing.T) {
	p := newPlane(t)
	p.put("taken", `{"email":"taken@example.org"}`)
	for _, c := range []struct {
		name, body  string
		status      int
		code, field string
	}{
		{"empty", ``, 400, "empty_body", ""},
		{"array", `[]`, 400, "invalid_json_type", ""},
		{"unknown field", `{"firstName":"Ada"}`, 400, "unknown_field", "firstName"},
		{"user in the body", `{"userId":"ada"}`, 400, "unknown_field", "userId"},
		{"attributes as a list", `{"attributes":[]}`, 400, "wrong_type", "attributes"},
		{"declared string as a number", `{"attributes":{"country":49}}`, 400, "wrong_type", "attributes.country"},
		{"declared int as text", `{"attributes":{"age":"30"}}`, 400, "wrong_type", "attributes.age"},
		{"declared int with a fraction", `{"attributes":{"age":30.5}}`, 400, "wrong_type", "attributes.age"},
		{"declared int of thirty digits", `{"attributes":{"age":100000000000000000000000000000}}`, 400, "wrong_type", "attributes.age"},
		{"declared double beyond a double", `{"attributes":{"score":1e400}}`, 400, "wrong_type", "attributes.score"},
		{"double of thirty digits", `{"attributes":{"score":100000000000000000000000000000}}`, 400, "out_of_range", "attributes.score"},
		{"NaN", `{"attributes":{"score":NaN}}`, 400, "invalid_json", ""},
		{"declared list with a number", `{"attributes":{"tags":["a",1]}}`, 400, "wrong_type", "attributes.tags"},
		{"nested declared", `{"attributes":{"address":{"city":1}}}`, 400, "wrong_type", "attributes.address.city"},
		{"value where an object is declared", `{"attributes":{"address":"Berlin"}}`, 400, "wrong_type", "attributes.address"},
		{"dotted name", `{"attributes":{"address.city":"Berlin"}}`, 400, "invalid_value", "attributes.address.city"},
		{"built-in name", `{"attributes":{"email":"a@b"}}`, 400, "invalid_value", "attributes.email"},
		{"empty name", `{"attributes":{"":1}}`, 400, "invalid_value", "attributes."},
		{"name with a control character", `{"attributes":{"a\nb":1}}`, 400, "invalid_value", "attributes.a\nb"},
		{"undeclared beyond a double", `{"attributes":{"x":[{"y":1e999}]}}`, 400, "out_of_range", "attributes.x"},
		{"undeclared beyond int64", `{"attributes":{"x":9223372036854775808}}`, 400, "out_of_range", "attributes.x"},
		{"too deep", `{"attributes":{"x":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}}`, 400, "too_deep", ""},
		{"too large", `{"attributes":{"x":"` + strings.Repeat("x", 66_000) + `"}}`, 413, "body_too_large", ""},
		{"duplicate nested", `{"attributes":{"x":{"a":1,"a":2}}}`, 400, "duplicate_key", "attributes.x.a"},

		{"e-mail without @", `{"email":"ada"}`, 400, "invalid_email", "email"},
		{"e-mail with a display name", `{"email":"Ada <ada@example.org>"}`, 400, "invalid_email", "email"},
		{"two e-mails", `{"email":"ada@example.org,eve@example.org"}`, 400, "invalid_email", "email"},
		{"e-mail with a newline", `{"email":"ada@example.org\nBcc: x"}`, 400, "invalid_email", "email"},
		{"e-mail as a number", `{"email":1}`, 400, "wrong_type", "email"},
		{"e-mail of another user", `{"email":"Taken@Example.org"}`, 409, "email_taken", ""},
		{"unknown channel", `{"consent":{"pigeon":true}}`, 400, "invalid_value", "consent.pigeon"},
		{"consent as text", `{"consent":{"push":"yes"}}`, 400, "wrong_type", "consent.push"},
		{"zone of another planet", `{"timeZone":"Mars/Phobos"}`, 400, "invalid_value", "timeZone"},
		{"zone that is a path", `{"timeZone":"../../etc/passwd"}`, 400, "invalid_value", "timeZone"},
		{"zone of this machine", `{"timeZone":"Local"}`, 400, "invalid_value", "timeZone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := p.call("PUT", "/v1/users/ada", serverKey, c.body, "Content-Type", contentJSON)
			if a.status != c.status || a.code() != c.code || a.field() != c.field {
				t.Fatalf("body %.80q: %d %s at %q, want %d %s at %q\n%s",
					c.body, a.status, a.code(), a.field(), c.status, c.code, c.field, a.body)
			}
		})
	}
	if a := p.call("GET", "/v1/users/ada", serverKey, ""); a.status != 404 || a.code() != "user_not_found" {
		t.Errorf("something of what was refused is stored: %d %s", a.status, a.body)
	}
}

func TestPutUserMerges(t *testing.T) {
	p := newPlane(t)
	const rest = "ada@example.org Europe/Berlin map[push:true sms:false]"
	for _, step := range []struct{ body, attributes, rest string }{
		{`{"email":"Ada@Example.org","timeZone":"Europe/Berlin","attributes":{"country":"DE","pet":{"kind":"cat","age":3}},` +
			`"consent":{"push":true,"sms":false}}`, `{"country":"DE","pet":{"kind":"cat","age":3}}`, rest},
		{`{}`, `{"country":"DE","pet":{"kind":"cat","age":3}}`, rest},
		{`{"attributes":{"pet":{"kind":"dog"},"age":30}}`, `{"country":"DE","pet":{"kind":"dog"},"age":30}`, rest},
		{
			`{"email":null,"timeZone":null,"attributes":{"country":null},"consent":{"push":null}}`,
			`{"pet":{"kind":"dog"},"age":30}`, "<nil> <nil> map[sms:false]",
		},
	} {
		p.put("ada", step.body)
		a := p.call("GET", "/v1/users/ada", serverKey, "")
		var want any
		if err := json.Unmarshal([]byte(step.attributes), &want); err != nil {
			t.Fatal(err)
		}
		rest := fmt.Sprint(a.json["email"], " ", a.json["timeZone"], " ", a.json["consent"])
		if fmt.Sprint(a.json["attributes"]) != fmt.Sprint(want) || rest != step.rest {
			t.Errorf("after %s:\n%s\nwant attributes %s and %s", step.body, a.body, step.attributes, step.rest)
		}
	}
}

func TestAWriteIsSeenAtOnceAndByItsStamp(t *testing.T) {
	p := newPlane(t)
	if got := p.decide(`{"userId":"ada"}`).shown(101); len(got) != 0 {
		t.Fatalf("an unknown user is shown %v", got)
	}
	put := p.put("ada", `{"attributes":{"country":"DE"}}`)
	if got := p.decide(`{"userId":"ada"}`).shown(101); len(got) != 1 {
		t.Errorf("right after the write: %v, want german", got)
	}
	events := p.call("POST", "/v1/events", serverKey, `[{"userId":"ada","name":"purchase","properties":{"total":9.5}}]`)
	a := p.decide(`{"userId":"ada","minAsOf":"` + events.asOf() + `"}`)
	if got := a.shown(101); len(got) != 2 || a.asOf() < events.asOf() {
		t.Errorf("with minAsOf %s: %v as of %s", events.asOf(), got, a.asOf())
	}
	if put.asOf() == "" || p.hints.changes.Load() < 2 {
		t.Errorf("asOf %q, %d changes hinted", put.asOf(), p.hints.changes.Load())
	}
	p.call("DELETE", "/v1/users/ada", serverKey, "")
	if a := p.decide(`{"userId":"ada"}`); len(a.shown(101)) != 0 {
		t.Errorf("an erased user is shown %v", a.shown(101))
	}
	if a := p.call("GET", "/v1/users/ada", serverKey, ""); a.status != 404 {
		t.Errorf("an erased user is still stored: %s", a.body)
	}
}

// list posts items and returns what failed, by index.
func (p *plane) list(path string, items ...string) (accepted int, failed map[int]string, a *answer) {
	p.t.Helper()
	a = p.call("POST", path, serverKey, "["+strings.Join(items, ",")+"]")
	var got struct {
		Accepted int `json:"accepted"`
		Failed   []struct {
			Index   int    `json:"index"`
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"failed"`
		AsOf string `json:"asOf"`
	}
	if err := json.Unmarshal(a.body, &got); err != nil || a.status != http.StatusOK || got.AsOf == "" || got.Failed == nil {
		p.t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	failed = make(map[int]string)
	for _, f := range got.Failed {
		if f.Message == "" {
			p.t.Errorf("item %d has no message", f.Index)
		}
		failed[f.Index] = f.Code
	}
	return got.Accepted, failed, a
}

func TestListsAreRefusedWhole(t *testing.T) {
	p := newPlane(t)
	many := strings.Repeat(`{"userId":"a","name":"x"},`, 1000) + `{"userId":"a","name":"x"}`
	for _, c := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"object", `{}`, 400, "invalid_json_type"},
		{"none", `[]`, 400, "out_of_range"},
		{"truncated", `[{"userId":"a"`, 400, "invalid_json"},
		{"trailing", `[{"userId":"a"}]]`, 400, "invalid_json"},
		{"1,001", `[` + many + `]`, 413, "too_many_items"},
		{"three megabytes of {}", strings.Repeat("{}", 3<<19), 400, "invalid_json_type"},
		{"three megabytes of {} in a list", "[" + strings.Repeat("{},", 1<<20) + "{}]", 413, "too_many_items"},
		{"five megabytes", `[` + strings.Repeat(" ", 5<<20) + `]`, 413, "body_too_large"},
	} {
		for _, path := range []string{"/v1/events", "/v1/users:bulk"} {
			a := p.call("POST", path, serverKey, c.body)
			if a.status != c.status || a.code() != c.code {
				t.Errorf("%s to %s: %d %s, want %d %s", c.name, path, a.status, a.code(), c.status, c.code)
			}
		}
	}
}

func TestOneBadItemFailsAlone(t *testing.T) {
	p := newPlane(t)
	soon, late := time.Now().Add(23*time.Hour).Format(time.RFC3339), time.Now().Add(25*time.Hour).Format(time.RFC3339)
	accepted, failed, _ := p.list("/v1/events",
		`{"userId":"ada","name":"purchase","properties":{"total":1}}`,
		`{"userId":"","name":"purchase"}`,
		`{"userId":"ada","name":""}`,
		`{"userId":"ada","name":"purchase","properties":{"total":"1"}}`,
		`{"userId":"ada","name":"purchase","occurredAt":"`+late+`"}`,
		`{"userId":"ada","name":"purchase","occurredAt":"`+soon+`"}`,
		`{"userId":"ada","name":"purchase","occurredAt":"yesterday"}`,
		`{"userId":"ada","name":"purchase","occurredAt":"1600-01-01T00:00:00Z"}`,
		`{"userId":"ada","name":"embedded_impression"}`,
		`{"userId":"ada","name":"purchase","colour":1}`,
		`{"userId":"ada","name":"purchase","properties":[]}`,
		`{"userId":"ada","name":"purchase","properties":{"x":"`+strings.Repeat("x", 9000)+`"}}`,
		`{"userId":"ada","name":"purchase","id":"`+strings.Repeat("x", 513)+`"}`,
		`7`,
		`{"userId":"ada","name":"seen","properties":null}`,
	)
	want := map[int]string{
		1: "invalid_user_id", 2: "invalid_value", 3: "wrong_type", 4: "future_event", 6: "invalid_value",
		7: "out_of_range", 8: "invalid_value", 9: "unknown_field", 10: "wrong_type", 11: "event_too_large", 12: "invalid_value",
		13: "invalid_json_type",
	}
	if accepted != 3 || fmt.Sprint(failed) != fmt.Sprint(want) {
		t.Errorf("accepted %d, failed %v; want 3 and %v", accepted, failed, want)
	}
	accepted, failed, _ = p.list("/v1/users:bulk",
		`{"userId":"ada","email":"ada@example.org","attributes":{"age":30}}`,
		`{"userId":"bob","email":"ada@example.org"}`,
		`{"userId":"eve","attributes":{"age":"x"}}`,
		`{"userId":"mia"}`,
		`{"attributes":{}}`,
	)
	want = map[int]string{1: "email_taken", 2: "wrong_type", 4: "invalid_user_id"}
	if accepted != 2 || fmt.Sprint(failed) != fmt.Sprint(want) {
		t.Errorf("accepted %d, failed %v; want 2 and %v", accepted, failed, want)
	}
	a := p.call("GET", "/v1/users/ada", serverKey, "")
	if !a.contains(`"age":30`) || strings.Count(string(a.body), `"name":"purchase"`) != 2 {
		t.Errorf("what was accepted is not what is stored: %s", a.body)
	}
	_, failed, _ = p.list("/v1/events", `{"userId":""}`)
	if len(failed) != 1 {
		t.Errorf("a list of bad items only: %v", failed)
	}
}

func TestEventsAreIdempotentByID(t *testing.T) {
	p := newPlane(t)
	event := `{"id":"order-1","userId":"ada","name":"purchase","properties":{"total":%d}}`
	for total := range 3 {
		p.list("/v1/events", fmt.Sprintf(event, total))
	}
	a := p.call("GET", "/v1/users/ada", serverKey, "")
	if strings.Count(string(a.body), `"id":"order-1"`) != 1 || !a.contains(`"total":2`) {
		t.Errorf("the profile holds %s", a.body)
	}
}

func TestUndeclaredNamesAreStoredAndListed(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"pet":{"kind":"cat","age":3},"vip":true}}`)
	p.list("/v1/events", `{"userId":"ada","name":"wish","properties":{"item":"boat"}}`,
		`{"userId":"ada","name":"purchase","properties":{"coupon":"X","total":1}}`)
	seen, err := p.store.Observations(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, o := range seen {
		got[o.What+" "+o.Name] = o.Type
	}
	want := map[string]string{
		"attribute pet.kind": "string", "attribute pet.age": "int", "attribute vip": "bool",
		"eventType wish": "object", "property wish.item": "string", "property purchase.coupon": "string",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("observed %v, want %v", got, want)
	}
}

func TestAWriteThatIsNotDurableIsNotAcknowledged(t *testing.T) {
	p := newPlane(t)
	p.store.down.Store(true)
	a := p.call("POST", "/v1/events", serverKey, `[{"userId":"ada","name":"purchase"}]`)
	if a.status != 503 || a.code() != "not_durable" || a.header.Get("Retry-After") == "" || p.hints.changes.Load() != 0 {
		t.Errorf("%d %s, %d changes hinted", a.status, a.body, p.hints.changes.Load())
	}
}

func TestUserIDsInPaths(t *testing.T) {
	p := newPlane(t)
	for _, id := range []string{"a%2Fb", "%C5%BDofie", "a+b", "a%20b", "x@y.z", "a:b", "%25", "users:bulk"} {
		p.put(id, `{"attributes":{"vip":true}}`)
		a := p.call("GET", "/v1/users/"+id, serverKey, "")
		if a.status != 200 || !a.contains(`"vip":true`) {
			t.Errorf("GET %s: %d %s", id, a.status, a.body)
		}
	}
	for _, id := range []string{strings.Repeat("x", 257), "a%0Ab", "a%7Fb", "%FF", "%E2%80%AE"} {
		if a := p.call("PUT", "/v1/users/"+id, serverKey, `{}`); a.status != 400 || a.code() != "invalid_user_id" {
			t.Errorf("PUT %.20s: %d %s", id, a.status, a.body)
		}
	}
}

func TestEmailForms(t *testing.T) {
	for address, want := range map[string]bool{
		"a@b": true, "ada@example.org": true, "ada+shop@mail.example.org": true, "žofie@příklad.cz": true,
		"": false, "@": false, "a@": false, "@b": false, "a b@c": false, "a@b@c": false, "a@b c": false, "a@.b": false,
		"a@b..c": false, "a@b.": false,
		strings.Repeat("x", 65) + "@b": false, "a@" + strings.Repeat("x", 254): false, "a@b\x00": false, "a\u202e@b": false,
	} {
		if got := validEmail(address); got != want {
			t.Errorf("validEmail(%q) = %v, want %v", address, got, want)
		}
	}
}

func TestZones(t *testing.T) {
	var z zones
	for name, want := range map[string]bool{
		"UTC": true, "Europe/Berlin": true, "America/Argentina/Buenos_Aires": true, "Etc/GMT+5": true,
		"": false, "Local": false, "Mars/Phobos": false, "../../etc/passwd": false, "/etc/localtime": false, "Europe//Berlin": false,
		"Europe/":           false,
		"Europe/Berlin\x00": false, "1": false, strings.Repeat("A", 65): false,
	} {
		for range 2 { // known names are answered from memory
			if got := z.valid(name); got != want {
				t.Errorf("valid(%q) = %v, want %v", name, got, want)
			}
		}
	}
}
