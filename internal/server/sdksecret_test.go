package server

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"eligibility/internal/access"

	"github.com/golang-jwt/jwt/v5"
)

// TestAPublicKeyTellsNothingAboutUsers asks with client keys about users who exist and users who do not: what comes back must be the
// same, byte for byte, as long as neither is eligible for anything, and never holds what is stored or any rule.
func TestAPublicKeyTellsNothingAboutUsers(t *testing.T) {
	p := newPlane(t)
	p.put("known", `{"email":"known@example.com","attributes":{"country":"canary-country","age":3}}`)
	ada := []string{"Authorization", "Bearer " + token(t, jwt.MapClaims{"userId": "ada"})}
	both := func(what, method, path, body, key string, headers ...string) {
		t.Helper()
		var got [2]string
		for i, name := range []string{"known", "zzzzz"} {
			a := p.call(method, strings.ReplaceAll(path, "NAME", name), key, strings.ReplaceAll(body, "NAME", name), headers...)
			got[i] = fmt.Sprint(a.status, a.header.Get("ETag"), a.header.Get(headerValidUntil), strings.ReplaceAll(string(a.body), name, "NAME"))
			for _, secret := range []string{"canary", "user.country", "user.age", "events.count"} {
				if a.contains(secret) {
					t.Errorf("%s: %s", what, a.body)
				}
			}
		}
		if got[0] != got[1] {
			t.Errorf("%s tells who exists:\n%s\n%s", what, got[0], got[1])
		}
	}
	both("messages by id", "GET", pathMessages+"?userId=NAME", "", openKey)
	both("messages by address", "GET", pathMessages+"?email=NAME@example.com", "", openKey)
	both("messages with another's token", "GET", pathMessages+"?userId=NAME", "", clientKey, ada...)
	both("messages by address with another's token", "GET", pathMessages+"?email=NAME@example.com", "", clientKey, ada...)
	both("a look-up", "GET", "/api/users/NAME@example.com", "", openKey)
	both("a look-up by id", "GET", "/api/users/byUserId/NAME", "", openKey)
	both("an erasure", "DELETE", "/api/users/byUserId/NAME", "", openKey)
	for _, c := range []struct{ path, body string }{
		{"/api/users/updateEmail", `{"currentEmail":"NAME@example.com","newEmail":"NAME@example.com"}`},
		{"/api/users/merge", `{"sourceUserId":"NAME","destinationUserId":"ada"}`},
		{"/api/users/merge", `{"sourceEmail":"NAME@example.com","destinationUserId":"ada"}`},
		{"/api/users/update", `{"userId":"NAME","dataFields":{"age":"canary"}}`},
		{"/api/users/disableDevice", `{"userId":"NAME","token":"x"}`},
		{"/api/users/update", `{"email":"NAME@example.com"}`},
		{"/api/embedded-messaging/events/click", `{"email":"NAME@example.com","messageId":"x"}`},
		{"/api/users/updateEmail", `{"currentUserId":"ada","newEmail":"NAME@example.com"}`},
	} {
		both("another's token: "+c.path, "POST", c.path, c.body, clientKey, ada...)
		both("no token: "+c.path, "POST", c.path, c.body, openKey)
	}
}

// TestEveryCallOfAPublicKeyTellsNothingAboutUsers makes each call that client keys may make, about a user of whom much is stored and about
// one of whom nothing is: status, headers and bytes must be the same. A call that is added and not listed here fails.
func TestEveryCallOfAPublicKeyTellsNothingAboutUsers(t *testing.T) {
	p := newPlane(t)
	setUp := func() {
		p.put("known", `{"email":"known@example.com","attributes":{"country":"canary-country","age":3,"devices":[{"token":"canary"}],"nested":{"a":1}}}`)
		p.list("/v1/events", `{"userId":"known","id":"e1","name":"viewed","properties":{"total":12345}}`)
	}
	const device = `"device":{"token":"t","platform":"GCM","applicationName":"a","dataFields":{}}`
	bodies := map[string]string{
		"POST /v1/eligibility":                         `{WHO}`,
		"POST /v1/engagement":                          `{WHO,"messageId":"x","kind":"click"}`,
		"POST /v1/stream-tokens":                       `{WHO}`,
		"GET /v1/stream":                               "-", // takes no user, but a token
		"GET " + pathMessages:                          "",
		"POST /api/embedded-messaging/events/received": `{WHO,"messageId":"x"}`,
		"POST /api/embedded-messaging/events/click":    `{WHO,"messageId":"x"}`,
		"POST /api/embedded-messaging/events/dismiss":  `{WHO,"messageId":"x"}`,
		"POST /api/embedded-messaging/events/session":  `{WHO,"session":{"id":"s"},"impressions":[{"messageId":"x","displayCount":1}]}`,
		"POST /api/users/update":                       `{WHO,"dataFields":{"age":"old"}}`,
		"POST /api/users/updateEmail":                  `{"currentUserId":"NAME","newEmail":"taken@example.com"}`,
		"POST /api/users/merge":                        `{"sourceUserId":"NAME","destinationUserId":"ada"}`,
		"POST /api/users/updateSubscriptions":          `{WHO,"emailListIds":[1]}`,
		"POST /api/events/track":                       `{WHO,"eventName":"purchase","id":"e1","dataFields":{"total":1}}`,
		"POST /api/commerce/trackPurchase":             `{"user":{WHO},"items":[],"total":1}`,
		"POST /api/commerce/updateCart":                `{"user":{WHO},"items":[]}`,
		"POST /api/users/registerDeviceToken":          `{WHO,` + device + `}`,
		"POST /api/users/disableDevice":                `{WHO,"token":"canary"}`,
	}
	p.put("taken", `{"email":"taken@example.com"}`)
	stamp := regexp.MustCompile(`"(asOf|token|url|requestId)":"[^"]*"`)
	tell := func(name, method, path, body, key string, headers ...string) string {
		setUp()
		if err := p.forget("zzzzz"); err != nil { // what an earlier call may have stored about him
			t.Fatal(err)
		}
		if method == http.MethodGet && body == "" {
			path += "?userId=" + name
		}
		a := p.call(method, path, key, body, headers...)
		for _, secret := range []string{"canary", "12345", "user.", "events.count"} {
			if a.contains(secret) {
				t.Errorf("%s %s: %s", method, path, a.body)
			}
		}
		for _, own := range []string{"Date", headerRequestID, "Content-Length"} {
			a.header.Del(own)
		}
		return strings.ReplaceAll(fmt.Sprint(a.status, a.header, stamp.ReplaceAllString(string(a.body), `"$1":"…"`)), name, "NAME")
	}
	check := func(method, path string) {
		body, listed := bodies[method+" "+path]
		switch {
		case strings.HasPrefix(path, sdkPrefix) && !listed && sdkPaths[path].route == RouteSDKStub:
			body = `{WHO}`
			if method == http.MethodGet {
				body = ""
			}
		case !listed:
			t.Errorf("%s %s is not listed: say what it is asked", method, path)
			return
		case body == "-":
			return
		}
		for _, caller := range []struct{ name, key, user string }{{"no token", openKey, ""}, {"another's token", clientKey, "ada"}, {"another's address", clientKey, "eve@example.com"}} {
			var headers, got []string
			if claim := map[bool]string{true: "email", false: "userId"}[strings.Contains(caller.user, "@")]; caller.user != "" {
				headers = []string{"Authorization", "Bearer " + token(t, jwt.MapClaims{claim: caller.user})}
			}
			for _, user := range []string{"known", "zzzzz"} {
				text := strings.ReplaceAll(strings.ReplaceAll(body, "WHO", `"userId":"NAME"`), "NAME", user)
				got = append(got, tell(user, method, path, text, caller.key, headers...))
			}
			if got[0] != got[1] {
				t.Errorf("%s %s with %s tells who exists:\n%s\n%s", method, path, caller.name, got[0], got[1])
			}
		}
	}
	for r := RouteNone + 1; r < ownRoutes; r++ {
		if r.open(access.Client) {
			check(strings.Fields(r.allow())[0], routePaths[r])
		}
	}
	for i := range sdkCalls {
		if call := &sdkCalls[i]; call.client {
			check(call.methods, call.path)
		}
	}
}

// TestAnswersAreForTheAskerAlone: no cache between may keep what an app is answered, or give it to who asks with another key, token or origin.
func TestAnswersAreForTheAskerAlone(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"DE"}}`)
	for i := range sdkCalls {
		call := &sdkCalls[i]
		for method := range strings.SplitSeq(call.methods, ", ") {
			path, body := strings.NewReplacer("{email}", "a@example.com", "{userId}", "ada", "{group}", "emailList", "{groupId}", "1").Replace(call.path), ""
			if method == http.MethodPost {
				body = `{"userId":"ada","messageId":"x","eventName":"e"}`
			}
			for _, key := range []string{serverKey, openKey, clientKey, "nobody"} {
				a := p.call(method, path+map[bool]string{true: "?userId=ada"}[call.id == sdkMessages], key, body, "Origin", "https://shop.example")
				if c := a.header.Get("Cache-Control"); c != "no-store" && c != revalidate {
					t.Errorf("%s %s with %s: Cache-Control %q", method, path, key, c)
				}
				if v := a.header.Get("Vary"); call.client && v != "Api-Key, Authorization, Origin" {
					t.Errorf("%s %s with %s: Vary %q", method, path, key, v)
				}
				if a.header.Get("Access-Control-Allow-Credentials") != "" {
					t.Errorf("%s %s: credentials are shared", method, path)
				}
			}
		}
	}
	p.put("ada", `{"attributes":{"country":"DE"}}`) // whom one of the calls erased
	p.put("eve", `{"attributes":{"country":"FR"}}`)
	_, ada := p.sync(openKey, "userId=ada")
	if b := p.call("GET", pathMessages+"?userId=eve", openKey, "", "If-None-Match", ada.header.Get("ETag")); b.status != http.StatusOK || b.contains("german") {
		t.Errorf("another user's tag: %d %s", b.status, b.body)
	}
	if b := p.call("GET", pathMessages+"?userId=ada", clientKey, "", "If-None-Match", ada.header.Get("ETag")); b.status != http.StatusUnauthorized || b.header.Get("ETag") != "" {
		t.Errorf("a tag without a token: %d, ETag %q", b.status, b.header.Get("ETag"))
	}
}

// forget erases a user.
func (p *plane) forget(user string) error {
	if a := p.call("DELETE", "/v1/users/"+user, serverKey, ""); a.status != http.StatusOK {
		return fmt.Errorf("erase %s: %d %s", user, a.status, a.body)
	}
	return nil
}
