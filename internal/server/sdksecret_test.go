package server

import (
	"fmt"
	"strings"
	"testing"

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
