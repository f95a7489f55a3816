package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"eligibility/internal/rules"

	"github.com/golang-jwt/jwt/v5"
)

// sdkPost makes a call of the SDK-compatible surface with the key and wants the code.
func (p *plane) sdkPost(key, path, body, code string, headers ...string) *answer {
	p.t.Helper()
	a := p.call("POST", path, key, body, headers...)
	if a.code() != code {
		p.t.Errorf("POST %s %.200s: status %d %s, want code %s", path, body, a.status, a.body, code)
	}
	if (a.status == http.StatusOK) != (code == "Success") {
		p.t.Errorf("POST %s: status %d with code %s", path, a.status, a.code())
	}
	if _, isText := a.json["msg"].(string); !isText {
		p.t.Errorf("POST %s: no msg in %s", path, a.body)
	}
	if _, has := a.json["params"]; !has {
		p.t.Errorf("POST %s: no params in %s", path, a.body)
	}
	return a
}

// sync fetches messages and returns the titles by placement, as "101:a,b 102:".
func (p *plane) sync(key, query string, headers ...string) (string, *answer) {
	p.t.Helper()
	a := p.call("GET", pathMessages+"?"+query, key, "", headers...)
	if a.status != http.StatusOK {
		return fmt.Sprintf("%d %s %s", a.status, a.code(), a.json["msg"]), a
	}
	faults := sdkBodyFaults(a.body)
	for _, fault := range faults {
		p.t.Errorf("GET %s: %s: %s", query, fault, a.body)
	}
	var parts []string
	for _, item := range a.json["placements"].([]any) {
		placement := item.(map[string]any)
		var titles []string
		for _, m := range placement["embeddedMessages"].([]any) {
			titles = append(titles, strings.TrimPrefix(m.(map[string]any)["elements"].(map[string]any)["title"].(string), "Title of "))
		}
		parts = append(parts, fmt.Sprintf("%v:%s", placement["placementId"], strings.Join(titles, ",")))
	}
	return strings.Join(parts, " "), a
}

func messageIDs(a *answer) []string {
	var ids []string
	for _, item := range a.json["placements"].([]any) {
		for _, m := range item.(map[string]any)["embeddedMessages"].([]any) {
			ids = append(ids, m.(map[string]any)["metadata"].(map[string]any)["messageId"].(string))
		}
	}
	return ids
}

func TestSDKFetchesMessages(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"email":"Ada+1@example.com","attributes":{"country":"DE","age":30}}`)
	p.put("eve", `{"email":"eve@example.com","attributes":{"country":"FR"}}`)
	p.list("/v1/events", `{"userId":"ada","name":"purchase"}`)
	ada, adaMail := token(t, jwt.MapClaims{"userId": "ada"}), token(t, jwt.MapClaims{"email": "ada+1@Example.com"})
	for _, c := range []struct{ name, key, query, token, want string }{
		{"by id", openKey, "userId=ada", "", "101:german,buyer 102:capped"},
		{"by address", openKey, "email=ada%2B1%40example.com", "", "101:german,buyer 102:capped"},
		{"by address again, from memory", openKey, "email=ADA%2B1@example.com", "", "101:german,buyer 102:capped"},
		{"as Android asks", openKey, "userId=ada&platform=Android&SDKVersion=3.10.0&systemVersion=14&packageName=app", "", "101:german,buyer 102:capped"},
		{"as iOS asks, whose platform a rule reads", openKey, "userId=ada&platform=iOS&SDKVersion=6.7.3", "", "101:german,buyer 102:ios"},
		{"one placement", openKey, "userId=ada&placementIds=102", "", "102:capped"},
		{"two, in their order, one twice", openKey, "userId=ada&placementIds=102&placementIds=101&placementIds=102", "", "102:capped 101:german,buyer"},
		{"an unknown placement", openKey, "userId=ada&placementIds=9", "", "9:"},
		{"an unknown user", openKey, "userId=nobody", "", "101: 102:"},
		{"an unknown address", openKey, "email=nobody@example.com", "", "101: 102:"},
		{"with a server key", serverKey, "userId=ada", "", "101:german,buyer 102:capped"},
		{"with the user's token", clientKey, "userId=ada", ada, "101:german,buyer 102:capped"},
		{"by address with a token by id", clientKey, "email=ada%2B1@example.com", ada, "101:german,buyer 102:capped"},
		{"by id with a token by address", clientKey, "userId=ada", adaMail, "101:german,buyer 102:capped"},
		{"by address with a token by address", clientKey, "email=ada%2B1@example.com", adaMail, "101:german,buyer 102:capped"},
		{"nobody named, but by the token", clientKey, "platform=Web", adaMail, "101:german,buyer 102:capped"},
		{"no user", openKey, "platform=Web", "", "400 BadParams name the user by email or userId"},
		{"no key", "", "userId=ada", "", "401 BadApiKey Invalid API Key"},
		{"an unknown key", "x", "userId=ada", "", "401 BadApiKey Invalid API Key"},
		{"an admin key", adminKey, "userId=ada", "", "403 Forbidden a key of this kind may not make this call"},
		{"no token", clientKey, "userId=ada", "", "401 BadAuthorizationHeader JWT Authorization header is not set"},
		{"another user's token", clientKey, "userId=eve", ada, "401 JwtUserIdentifiersMismatched " + msgMismatch},
		{"another user's address", clientKey, "email=eve@example.com", ada, "401 JwtUserIdentifiersMismatched " + msgMismatch},
		{"another user with a token by address", clientKey, "userId=eve", adaMail, "401 JwtUserIdentifiersMismatched " + msgMismatch},
		{"another address with a token by address", clientKey, "email=eve@example.com", adaMail, "401 JwtUserIdentifiersMismatched " + msgMismatch},
		{"an expired token", clientKey, "userId=ada", token(t, jwt.MapClaims{"userId": "ada", "exp": time.Now().Unix() - 1}), "401 InvalidJwtPayload JWT token is expired"},
		{"a broken token", clientKey, "userId=ada", "a.b.c", "401 InvalidJwtPayload JWT format is invalid"},
		{"another signature", clientKey, "userId=ada", ada[:len(ada)-4] + "AAAA", "401 InvalidJwtPayload JWT is invalid"},
		{"a token without a user", clientKey, "userId=ada", token(t, nil), "401 InvalidJwtPayload JWT payload requires a value for userId or email"},
		{"a token for two years", clientKey, "userId=ada", token(t, jwt.MapClaims{"userId": "ada", "exp": time.Now().AddDate(2, 0, 0).Unix()}), "401 InvalidJwtPayload exp must be less than 1 year from iat"},
		{"a token of tomorrow", clientKey, "userId=ada", token(t, jwt.MapClaims{"userId": "ada", "nbf": time.Now().Add(time.Hour).Unix()}), "401 InvalidJwtPayload Invalid payload"},
		{"a malformed id", openKey, "userId=a%00b", "", "400 InvalidUserIdError userId: a user id is 1 to 256 bytes of UTF-8 without control characters"},
		{"the user that nobody is", openKey, "userId=%01", "", "400 InvalidUserIdError userId: a user id is 1 to 256 bytes of UTF-8 without control characters"},
		{"a malformed address", openKey, "email=ada", "", "400 InvalidEmailAddressError email: this is not an e-mail address"},
		{"a broken encoding", openKey, "userId=%4", "", "400 BadParams userId: it is encoded wrongly, or stands twice"},
		{"two users", openKey, "userId=a&userId=b", "", "400 BadParams userId: it is encoded wrongly, or stands twice"},
		{"a placement that is no number", openKey, "userId=ada&placementIds=home", "", "400 BadParams placementIds: want a number of 32 bits"},
		{"too many placements", openKey, "userId=ada" + strings.Repeat("&placementIds=1", 51), "", "400 BadParams placementIds: at most 50 placements"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.token != "" {
				headers = []string{"Authorization", "Bearer " + c.token}
			}
			if got, a := p.sync(c.key, c.query, headers...); got != c.want {
				t.Errorf("%s, want %s\n%s", got, c.want, a.body)
			}
		})
	}
	first, _ := p.sync(openKey, "userId=ada")
	_, before := p.sync(openKey, "userId=ada")
	p.publish("shop", rules.Promotion{ID: "german", Rule: "user.country == 'DE' && true", Placements: target(101, 1)})
	after, again := p.sync(openKey, "userId=ada")
	if first != after || fmt.Sprint(messageIDs(before)) != fmt.Sprint(messageIDs(again)) {
		t.Errorf("the ids change with the revision: %v, then %v", messageIDs(before), messageIDs(again))
	}
}

// TestAnAddressFollowsItsOwner: whose an address was when it was last asked for must never show his messages to its next owner.
func TestAnAddressFollowsItsOwner(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"email":"a@example.com","attributes":{"country":"DE"}}`)
	for _, step := range []struct{ what, want string }{
		{"", "101:german 102:"},
		{`{"email":"b@example.com"}`, "101: 102:"},
		{`{"email":"a@example.com"}`, "101:german 102:"},
	} {
		if step.what != "" {
			p.put("ada", step.what)
		}
		for range 2 {
			if got, _ := p.sync(openKey, "email=a@example.com"); got != step.want {
				t.Errorf("after %s: %s, want %s", step.what, got, step.want)
			}
		}
	}
	p.put("ada", `{"email":null}`)
	p.put("bob", `{"email":"a@example.com","attributes":{"country":"FR"}}`)
	if got, _ := p.sync(openKey, "email=a@example.com"); got != "101: 102:" {
		t.Errorf("the next owner sees %s", got)
	}
}

func TestSDKEngagementClosesTheLoop(t *testing.T) {
	p := newPlane(t)
	p.publish("shop", rules.Promotion{
		ID: "shy", Placements: target(101, 3),
		Rule: "user.country == 'FR' && events.count('embedded_dismiss', duration('168h'), e, e.promotion == 'shy') == 0",
	})
	p.publish("shop", rules.Promotion{ID: "clicked", Rule: "events.count('embedded_click', duration('1h')) == 2", Placements: target(101, 4)})
	p.put("ada", `{"attributes":{"age":30,"country":"FR"}}`)
	const base = "/api/embedded-messaging/events/"
	_, a := p.sync(openKey, "userId=ada")
	shy, capped := messageIDs(a)[0], messageIDs(a)[1]
	now := time.Now()
	session := func(id string, count int) string {
		return fmt.Sprintf(`{"userId":"ada","session":{"id":%q,"start":%d,"end":%d},"impressions":[{"messageId":%q,"placementId":102,"displayCount":%d,
			"displayDuration":1.5},{"messageId":"gone","displayCount":1,"displayDuration":0.1}],"deviceInfo":{"deviceId":"d","platform":"Web","appPackageName":"a"}}`,
			id, now.Add(-time.Minute).UnixMilli(), now.UnixMilli(), capped, count)
	}
	for range 3 { // a replay counts once
		p.sdkPost(openKey, base+"session", session("s1", 1), "Success")
	}
	if got, _ := p.sync(openKey, "userId=ada"); got != "101:shy 102:capped" {
		t.Errorf("after one impression: %s", got)
	}
	p.sdkPost(openKey, base+"session", session("s2", 1), "Success")
	if got, _ := p.sync(openKey, "userId=ada"); got != "101:shy 102:" {
		t.Errorf("after two impressions, the cap: %s", got)
	}
	click := func(at any) string {
		return fmt.Sprintf(`{"userId":"ada","messageId":%q,"buttonIdentifier":"","targetUrl":"https://x","createdAt":%v}`, capped, at)
	}
	for range 2 {
		p.sdkPost(openKey, base+"click", click(now.Add(-2*time.Second).Unix()), "Success") // a phone's, replayed
	}
	p.sdkPost(openKey, base+"click", click(now.UnixMilli()), "Success")
	if got, _ := p.sync(openKey, "userId=ada"); got != "101:shy,clicked 102:" {
		t.Errorf("after two clicks: %s", got)
	}
	p.sdkPost(openKey, base+"dismiss", fmt.Sprintf(`{"userId":"ada","messageId":%q}`, shy), "Success")
	if got, _ := p.sync(openKey, "userId=ada"); got != "101:clicked 102:" {
		t.Errorf("after the dismissal: %s", got)
	}
	for _, body := range []string{
		fmt.Sprintf(`{"userId":"ada","messageId":%q,"deviceInfo":null}`, shy), `{"userId":"ada","messageId":"never made"}`,
		`{"userId":"nobody","messageId":"MTo5OmdvbmU"}`, `{"email":"nobody@example.com","messageId":"x"}`,
		`{"userId":"ada","messageId":"x","createdAt":1}`, `{"userId":"ada","messageId":"x","createdAt":9e30}`, `{"userId":"ada","messageId":"x","createdAt":"?"}`,
	} {
		for _, call := range []string{"received", "click", "dismiss"} {
			p.sdkPost(openKey, base+call, body, "Success")
		}
	}
	p.sdkPost(openKey, base+"click", `{"userId":"ada"}`, "BadParams")
	p.sdkPost(openKey, base+"click", `{"messageId":"x"}`, "BadParams")
	p.sdkPost(openKey, base+"session", `{"userId":"ada","impressions":[]}`, "Success")
	ada := token(t, jwt.MapClaims{"userId": "ada"})
	p.sdkPost(clientKey, base+"click", `{"userId":"eve","messageId":"x"}`, "JwtUserIdentifiersMismatched", "Authorization", "Bearer "+ada)
	p.sdkPost(clientKey, base+"click", `{"userId":"ada","messageId":"x"}`, "Success", "Authorization", "Bearer "+ada)
}
