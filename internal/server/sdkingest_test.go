package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audit"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"github.com/golang-jwt/jwt/v5"
)

func TestSDKIngest(t *testing.T) {
	p := newPlane(t)
	show := func(query string) string { got, _ := p.sync(openKey, query); return got }
	p.sdkPost(openKey, "/api/users/update", `{"userId":"ada","preferUserId":true}`, "Success")
	p.sdkPost(openKey, "/api/users/update", `{"userId":"ada","dataFields":{"country":"DE","age":30,"timeZone":"Europe/Berlin","userId":"x"},"createNewFields":true}`, "Success")
	if got := show("userId=ada"); got != "101:german 102:capped" {
		t.Errorf("after update: %s", got)
	}
	for range 2 { // the second finds the user that the first made
		p.sdkPost(openKey, "/api/users/update", `{"email":"New@example.com","dataFields":{"country":"DE"}}`, "Success")
	}
	p.sdkPost(openKey, "/api/events/track", `{"email":"new@example.com","eventName":"purchase","createdAt":1,"dataFields":{"total":1}}`, "Success")
	p.sdkPost(openKey, "/api/events/track", fmt.Sprintf(`{"email":"new@example.com","eventName":"purchase","createdAt":%d,"dataFields":{"total":1}}`, time.Now().Unix()-1), "Success")
	if got := show("email=new@example.com"); got != "101:german,buyer 102:" {
		t.Errorf("by a new address: %s", got)
	}
	lookup := p.call("GET", "/api/users/new@example.com", serverKey, "")
	if user, _ := lookup.json["user"].(map[string]any); user["email"] != "new@example.com" || !strings.HasPrefix(fmt.Sprint(user["userId"]), emailUserPrefix) {
		t.Errorf("look-up: %s", lookup.body)
	}
	p.sdkPost(openKey, "/api/users/updateEmail", `{"currentEmail":"new@example.com","newEmail":"newer@example.com"}`, "Success")
	if got := show("email=newer@example.com") + "|" + show("email=new@example.com"); got != "101:german,buyer 102:|101: 102:" {
		t.Errorf("after the change of address: %s", got)
	}
	p.sdkPost(serverKey, "/api/users/update", `{"userId":"ada","email":"ada@example.com"}`, "Success")
	if got := show("email=ada@example.com"); got != "101:german 102:capped" {
		t.Errorf("by the address that a backend gave: %s", got)
	}
	p.sdkPost(openKey, "/api/users/updateEmail", `{"currentUserId":"ada","newEmail":"newer@example.com"}`, "Success") // and does nothing
	p.sdkPost(serverKey, "/api/users/updateEmail", `{"currentUserId":"ada","newEmail":"newer@example.com"}`, "EmailAlreadyExists")
	p.sdkPost(serverKey, "/api/users/updateEmail", `{"currentEmail":"who@example.com","newEmail":"x@example.com"}`, "UnknownEmailError")
	p.sdkPost(openKey, "/api/users/updateEmail", `{"currentEmail":"who@example.com","newEmail":"x@example.com"}`, "Success")

	p.sdkPost(openKey, "/api/commerce/updateCart", `{"user":{"userId":"ada"},"items":[{"id":"1","name":"a","price":2.5,"quantity":2}]}`, "Success")
	record := p.call("GET", "/v1/users/ada", serverKey, "")
	if !record.contains(`"shoppingCartItems":[{`) || !record.contains(`"name":"cart_updated"`) || !record.contains(`"itemCount":2,"total":5`) {
		t.Errorf("after the cart: %s", record.body)
	}
	p.sdkPost(openKey, "/api/commerce/trackPurchase", `{"user":{"userId":"ada","dataFields":{"age":17}},"items":[{"id":"1","name":"a","price":2.5,"quantity":2}],"total":4}`, "Success")
	if record = p.call("GET", "/v1/users/ada", serverKey, ""); record.contains("shoppingCartItems") || !record.contains(`"itemCount":2,"total":4`) {
		t.Errorf("after the purchase: %s", record.body)
	}
	if got := show("userId=ada"); got != "101:german,buyer 102:" {
		t.Errorf("after the purchase: %s", got)
	}

	p.sdkPost(openKey, "/api/users/update", `{"userId":"nest","dataFields":{"settings":{"a":1,"b":2}}}`, "Success")
	p.sdkPost(openKey, "/api/users/update", `{"userId":"nest","dataFields":{"settings":{"b":3}},"mergeNestedObjects":true}`, "Success")
	if record = p.call("GET", "/v1/users/nest", serverKey, ""); !record.contains(`"settings":{"a":1,"b":3}`) {
		t.Errorf("merged: %s", record.body)
	}
	p.sdkPost(openKey, "/api/users/updateSubscriptions", `{"userId":"nest","emailListIds":[1,2],"unsubscribedChannelIds":[7]}`, "Success")
	p.sdkPost(openKey, "/api/users/updateSubscriptions", `{"userId":"nest","emailListIds":[3]}`, "Success")
	for _, path := range []string{"messageChannel/8/byUserId/nest", "messageChannel/7/byUserId/nest"} {
		method := map[bool]string{true: "DELETE", false: "PATCH"}[strings.Contains(path, "/8/")]
		if a := p.call(method, "/api/subscriptions/"+path, serverKey, ""); a.code() != "Success" {
			t.Errorf("%s %s: %s", method, path, a.body)
		}
	}
	if record = p.call("GET", "/v1/users/nest", serverKey, ""); !record.contains(`"emailListIds":[3]`) || !record.contains(`"unsubscribedChannelIds":[8]`) {
		t.Errorf("subscriptions: %s", record.body)
	}

	device := `"device":{"token":"t1","platform":"GCM","applicationName":"app","dataFields":{}}`
	p.sdkPost(openKey, "/api/users/registerDeviceToken", `{"userId":"nest",`+device+`}`, "Success")
	p.sdkPost(openKey, "/api/users/registerDeviceToken", `{"userId":"nest",`+device+`}`, "Success")
	if record = p.call("GET", "/v1/users/nest", serverKey, ""); strings.Count(string(record.body), `"token":"t1"`) != 1 || !record.contains(`"endpointEnabled":true`) {
		t.Errorf("device: %s", record.body)
	}
	p.sdkPost(clientKey, "/api/users/disableDevice", `{"userId":"nest","token":"t1"}`, "Success")
	if record = p.call("GET", "/v1/users/nest", serverKey, ""); !record.contains(`"endpointEnabled":false`) {
		t.Errorf("disabled device: %s", record.body)
	}
}

func TestSDKMerge(t *testing.T) {
	p := newPlane(t)
	const visitor = "0f6a5f7e-3c0b-4d3e-9a52-6b1f0c2d4e11"
	for _, name := range []string{"guessable", "0f6a5f7e-3c0b-1d3e-9a52-6b1f0c2d4e11", "0f6a5f7e-3c0b-4d3e-ca52-6b1f0c2d4e11", "0f6a5f7e-3c0b-4d3e-9a52-6b1f0c2d4e1g"} {
		p.put(name, `{"attributes":{"age":1}}`)
	}
	p.put(visitor, `{"attributes":{"country":"DE","age":20,"tags":["a","b"]}}`)
	p.put("ada", `{"email":"ada@example.com","attributes":{"age":30,"tags":["b","c"]}}`)
	p.put("eve", `{"email":"eve@example.com","attributes":{"country":"FR","age":50}}`)
	p.list("/v1/events", `{"userId":"`+visitor+`","name":"purchase"}`)
	ada := []string{"Authorization", "Bearer " + token(t, jwt.MapClaims{"userId": "ada"})}
	merge := `{"sourceUserId":%q,"destinationUserId":%q,"sourceEmail":null,"destinationEmail":null,"arrayMerge":[{"field":"tags"}]}`
	p.sdkPost(clientKey, "/api/users/merge", fmt.Sprintf(merge, visitor, "eve"), "JwtUserIdentifiersMismatched", ada...)
	p.sdkPost(clientKey, "/api/users/merge", fmt.Sprintf(merge, visitor, "ada"), "BadAuthorizationHeader")
	p.sdkPost(clientKey, "/api/users/merge", fmt.Sprintf(merge, "eve", "ada"), "Success", ada...)
	p.sdkPost(clientKey, "/api/users/merge", fmt.Sprintf(merge, "unknown", "ada"), "Success", ada...)
	if got, _ := p.sync(openKey, "userId=eve"); got != "101: 102:capped" {
		t.Errorf("another user was merged away: %s", got)
	}
	for _, somebody := range []string{"guessable", "0f6a5f7e-3c0b-1d3e-9a52-6b1f0c2d4e11", "0f6a5f7e-3c0b-4d3e-ca52-6b1f0c2d4e11", "0f6a5f7e-3c0b-4d3e-9a52-6b1f0c2d4e1g"} {
		p.sdkPost(clientKey, "/api/users/merge", fmt.Sprintf(merge, somebody, "ada"), "Success", ada...)
		if still := p.call("GET", "/v1/users/"+somebody, serverKey, ""); still.status != http.StatusOK {
			t.Errorf("an app erased %s, whose id it may have guessed: %d", somebody, still.status)
		}
	}
	p.sdkPost(clientKey, "/api/users/merge", fmt.Sprintf(merge, visitor, "ada"), "Success", ada...)
	record := p.call("GET", "/v1/users/ada", serverKey, "")
	if !record.contains(`"age":30`) || !record.contains(`"country":"DE"`) || !record.contains(`"tags":["b","c","a"]`) || !record.contains(`"purchase"`) {
		t.Errorf("merged: %s", record.body)
	}
	if gone := p.call("GET", "/v1/users/"+visitor, serverKey, ""); gone.status != http.StatusNotFound {
		t.Errorf("the source is still there: %s", gone.body)
	}
	p.sdkPost(serverKey, "/api/users/merge", fmt.Sprintf(merge, visitor, "ada"), "UnknownUserIdError")
	p.sdkPost(serverKey, "/api/users/merge", `{"sourceEmail":"eve@example.com","destinationEmail":"ada@example.com"}`, "Success")
}

func TestSDKLists(t *testing.T) {
	p := newPlane(t)
	a := p.call("POST", "/api/users/bulkUpdate", serverKey, `{"createNewFields":true,"users":[{"userId":"ada","dataFields":{"country":"DE"}},
		{"email":"bob@example.com","dataFields":{"country":"DE"}},{"email":"bob@example.com","dataFields":{"age":18}},
		{"email":"broken"},{"userId":"eve","dataFields":{"age":"old"}},{"email":"zoe@example.com","dataFields":{"age":"old"}},{}]}`)
	var got bulkAnswer
	if err := json.Unmarshal(a.body, &got); err != nil || got.SuccessCount != 3 || got.FailCount != 4 ||
		fmt.Sprint(got.InvalidEmails, got.FailedUpdates.InvalidDataUserIDs, got.FailedUpdates.InvalidDataEmails) != "[broken] [eve] [zoe@example.com]" {
		t.Errorf("bulkUpdate: %v %s", err, a.body)
	}
	for _, list := range []string{"createdFields", "filteredOutFields", "invalidUserIds"} {
		if _, is := a.json[list].([]any); !is {
			t.Errorf("%s is no list: %s", list, a.body)
		}
	}
	if shown, _ := p.sync(openKey, "email=bob@example.com"); shown != "101:german 102:capped" {
		t.Errorf("the new user of the list: %s", shown)
	}
	a = p.call("POST", "/api/events/trackBulk", serverKey, `{"events":[{"userId":"ada","eventName":"purchase"},{"email":"new@example.com","eventName":"purchase"},
		{"userId":"ada","eventName":"embedded_click"}]}`)
	if !a.contains(`"successCount":2,"failCount":1`) || !a.contains(`"disallowedEventNames":["embedded_click"]`) {
		t.Errorf("trackBulk: %s", a.body)
	}
	if shown, _ := p.sync(openKey, "email=new@example.com"); shown != "101:buyer 102:" {
		t.Errorf("the new user of an event: %s", shown)
	}
	a = p.call("POST", "/api/users/bulkUpdateSubscriptions", serverKey, `{"updateSubscriptionsRequests":[{"userId":"ada","emailListIds":[1]},{"email":"x"}]}`)
	if !a.contains(`"successCount":1,"failCount":1,"invalidEmails":["x"]`) {
		t.Errorf("bulkUpdateSubscriptions: %s", a.body)
	}
	p.sdkPost(serverKey, "/api/users/bulkUpdate", `{"users":[`+strings.Repeat(`{"userId":"a"},`, 1000)+`{"userId":"a"}]}`, "BatchTooLarge")
	p.sdkPost(serverKey, "/api/users/bulkUpdate", `{"users":[]}`, "BadParams")
	for _, path := range []string{"/api/users/bulkUpdate", "/api/events/trackBulk", "/api/users/bulkUpdateSubscriptions"} {
		p.sdkPost(openKey, path, `{}`, "Forbidden")
	}
}

func TestSDKRefusals(t *testing.T) {
	p := newPlane(t)
	if _, err := p.authoring.DeclareAttribute(t.Context(), rules.Actor{ID: "root"}, "shop", "credit", profile.Type{Kind: profile.Int}, true); err != nil {
		t.Fatal(err)
	}
	p.reload("shop")
	for _, c := range []struct{ name, path, body, code string }{
		{"no body", "/api/users/update", "", "GenericError"},
		{"not JSON", "/api/users/update", "{", "BadJsonBody"},
		{"a list", "/api/users/update", "[]", "BadJsonBody"},
		{"twice", "/api/users/update", `{"userId":"a","userId":"b"}`, "BadJsonBody"},
		{"deep", "/api/users/update", strings.Repeat("[", 5000), "BadJsonBody"},
		{"no user", "/api/users/update", `{"dataFields":{}}`, "BadParams"},
		{"null user", "/api/users/update", `{"userId":null,"email":null}`, "BadParams"},
		{"a number as id", "/api/users/update", `{"userId":7}`, "RequestFieldsTypesMismatched"},
		{"a malformed id", "/api/users/update", `{"userId":"a\u0000"}`, "InvalidUserIdError"},
		{"a malformed address", "/api/users/update", `{"email":"a@b@c"}`, "InvalidEmailAddressError"},
		{"another type", "/api/users/update", `{"userId":"a","dataFields":{"age":"old"}}`, "RequestFieldsTypesMismatched"},
		{"a backend's field", "/api/users/update", `{"userId":"a","dataFields":{"credit":1}}`, "ForbiddenParamsError"},
		{"an unknown zone", "/api/users/update", `{"userId":"a","dataFields":{"timeZone":"Mars/Phobos"}}`, "BadParams"},
		{"no event", "/api/events/track", `{"userId":"a"}`, "BadParams"},
		{"an engine's event", "/api/events/track", `{"userId":"a","eventName":"embedded_impression"}`, "BadParams"},
		{"a future event", "/api/events/track", `{"userId":"a","eventName":"x","createdAt":99999999999}`, "BadParams"},
		{"a property of another type", "/api/events/track", `{"userId":"a","eventName":"purchase","dataFields":{"total":"x"}}`, "RequestFieldsTypesMismatched"},
		{"a broken item", "/api/commerce/updateCart", `{"user":{"userId":"a"},"items":[{"price":"x"}]}`, "BadParams"},
		{"no device", "/api/users/registerDeviceToken", `{"userId":"a"}`, "BadParams"},
		{"no new address", "/api/users/updateEmail", `{"currentUserId":"a"}`, "BadParams"},
		{"an unknown address of ours", "/api/nothing", `{}`, "NotFound"},
	} {
		t.Run(c.name, func(t *testing.T) { p.sdkPost(openKey, c.path, c.body, c.code) })
	}
	a := p.sdkPost(serverKey, "/api/users/update", `{"userId":"a","dataFields":{"age":"old"}}`, "RequestFieldsTypesMismatched")
	if !a.contains(`"validationErrors":{"age":{"incomingTypes":["string"],"expectedType":"int"`) {
		t.Errorf("a clash as a backend is told: %s", a.body)
	}
	if a = p.sdkPost(openKey, "/api/users/update", `{"userId":"a","dataFields":{"age":"old"}}`, "RequestFieldsTypesMismatched"); a.contains("int") {
		t.Errorf("a clash tells an app the declared type: %s", a.body)
	}
	for _, c := range []struct{ path, want string }{
		{"/api/users/who@example.com", "{}\n"}, {"/api/users/getByEmail?email=who@example.com", "{}\n"},
	} {
		if a := p.call("GET", c.path, serverKey, ""); a.status != http.StatusOK || string(a.body) != c.want {
			t.Errorf("GET %s: %d %s", c.path, a.status, a.body)
		}
	}
	for _, path := range []string{"/api/users/byUserId/who", "/api/users/byUserId?userId=who"} {
		if a := p.call("GET", path, serverKey, ""); a.status != http.StatusBadRequest || a.code() != "error.users.noUserWithIdExists" {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
		if a := p.call("GET", path, openKey, ""); a.status != http.StatusForbidden {
			t.Errorf("an app looks users up: %d %s", a.status, a.body)
		}
	}
	if a := p.call("DELETE", "/api/users/"+url.PathEscape("who@example.com"), serverKey, ""); a.code() != "Success" {
		t.Errorf("erasing nobody: %s", a.body)
	}
	if a := p.call("PUT", pathMessages, openKey, "{}"); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "GET" {
		t.Errorf("PUT: %d %s", a.status, a.body)
	}
}

func TestASuspendedKeySilencesSDKs(t *testing.T) {
	p := newPlane(t)
	off := access.Credential{ID: "k9", Project: "shop", Kind: access.Client, Hash: access.Hash("off"), Suspended: true}
	if _, err := p.store.PutCredential(t.Context(), off, audit.Entry{Project: "shop", Action: "key.suspend", Target: off.ID}); err != nil {
		t.Fatal(err)
	}
	if err := p.keyring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := p.sync("off", "userId=ada"); got != "403 Forbidden SUBSCRIPTION_INACTIVE" {
		t.Error(got)
	}
	if a := p.call("POST", "/v1/eligibility", "off", `{"userId":"ada"}`); a.code() != "key_suspended" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestEveryStubAnswersWhatItsSDKCanRead(t *testing.T) {
	p := newPlane(t)
	for i := range sdkCalls {
		call := &sdkCalls[i]
		if call.route != RouteSDKStub {
			continue
		}
		body := ""
		if call.methods == "POST" {
			body = `{"anything":[1]}`
		}
		a := p.call(call.methods, call.path, clientKey, body)
		if a.status != http.StatusOK || len(a.json) == 0 {
			t.Errorf("%s: %d %s", call.path, a.status, a.body)
		}
	}
	if a := p.call("GET", "/api/mobile/getRemoteConfiguration", clientKey, ""); a.json["offlineMode"] != false {
		t.Errorf("iOS demands offlineMode: %s", a.body)
	}
}
