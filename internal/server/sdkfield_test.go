package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// declareNewFields gives the shop the policy.
func (p *plane) declareNewFields() {
	p.t.Helper()
	settings := rules.DefaultSettings()
	settings.NewFields = rules.DeclareNewFields
	if _, err := p.authoring.PutSettings(p.t.Context(), rules.Actor{ID: "k4"}, "shop", settings); err != nil {
		p.t.Fatal(err)
	}
	p.reload("shop")
}

// declared lists what the shop's schema has beyond what it began with.
func (p *plane) declared(before *profile.Schema) string {
	p.t.Helper()
	now, err := p.authoring.Project(p.t.Context(), "shop")
	if err != nil {
		p.t.Fatal(err)
	}
	var all []string
	for _, a := range now.Schema.Attributes[len(before.Attributes):] {
		all = append(all, a.Name+":"+a.Type.String())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestWhoMayCreateFields(t *testing.T) {
	for _, c := range []struct {
		name, key, body string
		policy          bool
		want            string
	}{
		{"a backend that asks, by policy", serverKey, `{"userId":"a","dataFields":{"size":3},"createNewFields":true}`, true, "size:int"},
		{"without the policy", serverKey, `{"userId":"a","dataFields":{"size":3},"createNewFields":true}`, false, ""},
		{"without asking", serverKey, `{"userId":"a","dataFields":{"size":3}}`, true, ""},
		{"an app", openKey, `{"userId":"a","dataFields":{"size":3},"createNewFields":true}`, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlane(t)
			if c.policy {
				p.declareNewFields()
			}
			before := p.live.Load("shop").Schema
			p.sdkPost(c.key, "/api/users/update", c.body, "Success")
			if got := p.declared(before); got != c.want {
				t.Errorf("declared %q, want %q", got, c.want)
			}
		})
	}
}

func TestTypesOfCreatedFields(t *testing.T) {
	p := newPlane(t)
	p.declareNewFields()
	for _, c := range []struct{ name, fields, want string }{
		{"scalars", `{"a":1,"b":1.5,"c":"x","d":true,"e":"2026-01-01T00:00:00Z"}`, "a:int b:double c:string d:bool e:timestamp"},
		{"nested", `{"home":{"city":"x","at":{"lat":1.5}}}`, "home.at.lat:double home.city:string"},
		{"lists", `{"l":[1,2],"m":["x"]}`, "l:list<int> m:list<string>"},
		{"what has no one type", `{"n":null,"o":[],"p":[1,"x"],"q":[{"a":1}],"r":{}}`, ""},
		{"names that rules cannot write", `{"first name":1,"1st":2,"größe":3,"s-t":4}`, ""},
		{"a dot in a member's name", `{"u":{"v.w":1}}`, ""},
		{"a name below a declared value", `{"address":{"street":"x"}}`, "address.street:string"},
		{"declared ones stay as they are", `{"country":"DE"}`, ""},
	} {
		before, err := p.authoring.Project(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		p.sdkPost(serverKey, "/api/users/update", `{"userId":"ada","dataFields":`+c.fields+`,"createNewFields":true}`, "Success")
		if got := p.declared(before.Schema); got != c.want {
			t.Errorf("%s: declared %q, want %q", c.name, got, c.want)
		}
		p.reload("shop")
	}
	p.sdkPost(serverKey, "/api/users/update", `{"userId":"ada","dataFields":{"a":"text"},"createNewFields":true}`, "RequestFieldsTypesMismatched")
	p.publish("shop", rules.Promotion{ID: "berlin", Rule: "user.home.city == 'x'", Placements: target(102, 1)})
	if got, _ := p.sync(openKey, "userId=ada&placementIds=102"); got != "102:berlin" {
		t.Errorf("a rule over a created field shows %q", got)
	}
}

// TestAReplicaThatIsBehindCreatesNothingTwice: its ruleset is not the newest, and the store's schema decides.
func TestAReplicaThatIsBehindCreatesNothingTwice(t *testing.T) {
	p := newPlane(t)
	p.declareNewFields()
	before := p.live.Load("shop").Schema
	p.sdkPost(serverKey, "/api/users/update", `{"userId":"a","dataFields":{"size":3},"createNewFields":true}`, "Success")
	p.sdkPost(serverKey, "/api/users/update", `{"userId":"b","dataFields":{"size":"XL"},"createNewFields":true}`, "RequestFieldsTypesMismatched")
	if got := p.declared(before); got != "size:int" {
		t.Errorf("declared %q", got)
	}
}

func TestBulkCreatesFieldsInOneVersion(t *testing.T) {
	p := newPlane(t)
	p.declareNewFields()
	before := p.live.Load("shop")
	a := p.call("POST", "/api/users/bulkUpdate", serverKey, `{"createNewFields":true,"users":[{"userId":"a","dataFields":{"size":1,"shoe":40,"team":"x"}},`+
		`{"userId":"b","dataFields":{"size":1.5,"team":3}},{"email":"no","dataFields":{"hat":1}},{"userId":"c","dataFields":{"age":"old"}}]}`)
	if got := fmt.Sprint(a.json["createdFields"], a.json["successCount"], a.json["failCount"]); got != "[hat shoe size] 2 2" {
		t.Errorf("%s: %s", got, a.body)
	}
	if got := p.declared(before.Schema); got != "hat:int shoe:int size:double" {
		t.Errorf("declared %q: numbers are widened, and a name of two types is left alone", got)
	}
	now, err := p.authoring.Project(t.Context(), "shop")
	if err != nil || now.Version != before.Version+1 {
		t.Errorf("version %d after %d, %v: want one more", now.Version, before.Version, err)
	}
}
