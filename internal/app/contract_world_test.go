package app

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// world is a project in which every operation of the document can succeed with its example.
type world struct {
	*replica
	project string
	keys    map[string]string // by kind or role; "client+jwt" demands tokens
	keyID   string            // of client+jwt
	secret  string            // of client+jwt
}

const exampleDraft = `{"name":"Father's Day","rule":"user.country == 'US'%s","placements":[{"placement":101,"priority":10}],"channels":["push"],
	"content":{"title":"20 %% off"}}`

// world makes a project of its own for the operation and brings about what that one needs.
func (r *replica) world(project, operation string) *world {
	r.t.Helper()
	w := &world{replica: r, project: project, keys: map[string]string{"root": r.root}}
	r.must(201, "control", "POST", "/v1/projects", r.root, map[string]string{"project": project})
	for _, declare := range []string{
		`attributes {"name":"country","type":"string"}`, `attributes {"name":"age","type":"int"}`,
		`event-types {"name":"purchase","properties":{"total":"double"}}`,
		`placements {"placement":101,"name":"home banner","limit":1}`, `placements {"placement":102,"name":"cards","limit":3}`,
	} {
		path, body, _ := strings.Cut(declare, " ")
		w.author(201, "POST", "/"+path, body)
	}
	for name, body := range map[string]string{
		"client": `{"kind":"client","requireJwt":false}`, "server": `{"kind":"server"}`, "viewer": `{"kind":"admin","role":"viewer"}`,
		"editor": `{"kind":"admin","role":"editor"}`, "publisher": `{"kind":"admin","role":"publisher"}`, "owner": `{"kind":"admin","role":"owner"}`,
	} {
		w.keys[name] = w.author(201, "POST", "/keys", body)["key"].(string)
	}
	made := w.author(201, "POST", "/keys", `{"kind":"client"}`)
	w.keys["client+jwt"], w.keyID, w.secret = made["key"].(string), made["id"].(string), made["jwtSecret"].(string)
	if operation == "putPromotion" { // is about a new one
		return w
	}
	for _, more := range []string{"", " && user.age >= 18"} {
		w.author(0, "PUT", "/promotions/fathers-day", fmt.Sprintf(exampleDraft, more))
		w.author(200, "POST", "/promotions/fathers-day:publish?wait=5s", "")
	}
	r.must(200, "decision", "PUT", "/v1/users/ada", w.keys["server"], `{"email":"ada@example.com","attributes":{"country":"US","age":36,"shoeSize":38}}`)
	r.must(200, "decision", "POST", "/v1/events", w.keys["server"], `[{"id":"order-0","userId":"ada","name":"purchase","properties":{"total":9.5,"gift":true}}]`)
	switch operation {
	case "publishPromotion":
		w.author(200, "PUT", "/promotions/fathers-day", fmt.Sprintf(exampleDraft, " && user.age >= 21"))
	case "getPushHook", "deletePushHook", "listDeadLetters":
		w.author(201, "PUT", "/push-hook", `{"url":"https://push.example.com/hook"}`)
	case "sendProof":
		w.author(200, "PUT", "/test-users", `{"userIds":["ada"]}`)
	case "resumePromotion":
		w.author(200, "POST", "/promotions/fathers-day:pause?wait=5s", "")
	}
	return w
}

// author makes a call of the project's control plane with the root key; want 0 takes any success.
func (w *world) author(want int, method, path, body string) map[string]any {
	w.t.Helper()
	got := w.call("control", method, "/v1/projects/"+w.project+path, w.root, body)
	if got.status != want && (want != 0 || got.status > 299) {
		w.t.Fatalf("%s %s: status %d, want %d: %s", method, path, got.status, want, got.body)
	}
	return got.json(w.t)
}

// request is an operation's call as its document's examples make it.
type request struct {
	operation
	path        map[string]string // instead of the parameters' examples
	query       url.Values        // beside the parameters' examples
	body        any               // nil sends none
	empty       bool              // sends a body of no bytes
	contentType string
	keys        map[string]string // header to value
}

// request fills an operation's call from the document.
func (w *world) request(op operation) *request {
	_, example, _ := op.body()
	return &request{
		operation: op, body: example, contentType: "application/json", query: url.Values{}, keys: map[string]string{},
		path: map[string]string{"project": w.project, "key": w.keyID},
	}
}

// as adds the credentials of one way to be let in.
func (w *world) as(req *request, way map[string]any) *request {
	w.t.Helper()
	for scheme, roles := range way {
		switch scheme {
		case "serverKey":
			req.keys["Api-Key"] = w.keys["server"]
		case "rootKey":
			req.keys["Api-Key"] = w.root
		case "adminKey":
			req.keys["Api-Key"] = w.keys[items(roles)[0].(string)]
		case "clientKey":
			req.keys["Api-Key"] = w.keys["client"]
			if way["userToken"] != nil {
				req.keys["Api-Key"] = w.keys["client+jwt"]
			}
		case "streamToken":
			made := w.must(200, "decision", "POST", "/v1/stream-tokens", w.keys["client"], `{"userId":"ada"}`).json(w.t)
			req.query.Set("token", made["token"].(string))
		case "userToken":
			req.keys["Authorization"] = "Bearer " + w.token("ada")
		default:
			w.t.Fatalf("the test knows no security scheme %q", scheme)
		}
	}
	return req
}

// token is a user token as an app's backend signs it.
func (w *world) token(user string) string {
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	now := time.Now().Unix()
	signed := part(map[string]string{"alg": "HS256", "typ": "JWT"}) + "." + part(map[string]any{"userId": user, "iat": now, "exp": now + 3600})
	mac := hmac.New(sha256.New, []byte(w.secret))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// send makes the call.
func (w *world) send(req *request) reply {
	w.t.Helper()
	path, header := req.operation.path, http.Header{}
	for _, p := range req.parameters {
		name, example := p["name"].(string), p["example"]
		switch {
		case p["in"] == "path":
			if value, set := req.path[name]; set {
				example = value
			}
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(fmt.Sprint(example)))
		case example == nil:
		case p["in"] == "header":
			header.Set(name, fmt.Sprint(example))
		default:
			if object, is := example.(map[string]any); is { // exploded: its members are the parameters
				for member, value := range object {
					req.query.Set(member, fmt.Sprint(value))
				}
				continue
			}
			req.query.Set(name, fmt.Sprint(example))
		}
	}
	var payload io.Reader
	if req.body != nil {
		text, err := json.Marshal(req.body)
		if err != nil {
			w.t.Fatal(err)
		}
		if req.empty {
			text = nil
		}
		payload = bytes.NewReader(text)
		header.Set("Content-Type", req.contentType)
	}
	for name, value := range req.keys {
		header.Set(name, value)
	}
	decision, control, _ := w.app.Addrs()
	address := map[string]string{"decision": decision, "control": control}[req.plane]
	target := "http://" + address + path
	if len(req.query) > 0 {
		target += "?" + req.query.Encode()
	}
	call, err := http.NewRequestWithContext(w.t.Context(), req.method, target, payload)
	if err != nil {
		w.t.Fatal(err)
	}
	call.Header = header
	res, err := http.DefaultClient.Do(call)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	body := io.Reader(res.Body)
	if res.Header.Get("Content-Type") == "text/event-stream" { // has no end
		const event = "event: changed"
		body = io.LimitReader(res.Body, int64(len("retry: 3000\n\n")+len(event)))
	}
	text, err := io.ReadAll(body)
	if err != nil {
		w.t.Fatal(err)
	}
	return reply{status: res.StatusCode, body: text, header: res.Header}
}
