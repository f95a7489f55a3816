package admin_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"eligibility/internal/access"
	"eligibility/internal/admin"
	"eligibility/internal/events"
)

func TestTheLifeOfAPromotionOverHTTP(t *testing.T) {
	p := newPlane(t)
	p.declare()
	editor, publisher := p.keys[access.Editor], p.keys[access.Publisher]
	path := shop + "/promotions/spring"

	first := p.want(p.do("PUT", path, editor, promotion("Spring", "user.contry == 'US'")), 201)
	if first.header.Get("ETag") != `"1"` || first.text("state") != "draft" || first.number("revision") != 1 || first.number("campaignId") < 1 {
		t.Errorf("first draft: %s", first.raw)
	}
	if first.text("issues.0.code") != "undeclared_field" || first.number("issues.0.column") != 6 || first.text("issues.0.field") != "rule" {
		t.Errorf("issues of the draft: %s", first.raw)
	}
	check := p.want(p.do("POST", path+":check", editor, ""), 200)
	if check.at("ok") != false || len(check.items("issues")) != 1 {
		t.Errorf("check: %s", check.raw)
	}
	refused := p.problem(p.do("POST", path+":publish", publisher, ""), 422, "rule_invalid")
	if refused.text("issues.0.code") != "undeclared_field" {
		t.Errorf("refused: %s", refused.raw)
	}
	p.problem(p.do("POST", path+":pause", publisher, ""), 409, "not_published")

	second := p.want(p.do("PUT", path, editor, promotion("Spring", "user.country == 'US'"), `If-Match: "1"`), 200)
	if second.header.Get("ETag") != `"2"` || len(second.body) == 0 || second.at("issues") != nil {
		t.Errorf("second draft: %s", second.raw)
	}
	p.problem(p.do("PUT", path, editor, promotion("Spring", "user.country == 'DE'"), `If-Match: "1"`), 412, "precondition_failed")

	published := p.want(p.do("POST", path+":publish?wait=5s", publisher, `{"comment":"launch"}`), 200)
	if published.number("rulesVersion") != 5 || published.number("revision") != 1 || published.text("state") != "published" ||
		published.number("replicas.applied") != 1 || published.number("replicas.live") != 1 || published.text("asOf") == "" {
		t.Errorf("publish: %s", published.raw)
	}
	p.problem(p.do("POST", path+":publish", publisher, ""), 409, "no_draft")
	again := p.want(p.do("POST", path+":publish", publisher, `{"revision":1}`), 200)
	if again.number("rulesVersion") != 5 || again.at("asOf") != nil {
		t.Errorf("the same again: %s", again.raw)
	}

	p.put("spring", "user.country == 'DE'")
	diff := p.want(p.do("GET", path+"/diff", editor, ""), 200)
	if diff.number("from") != 1 || diff.number("to") != 2 || diff.text("differences.2.path") != "rule" ||
		diff.text("differences.2.new") != "user.country == 'DE'" {
		t.Errorf("diff: %s", diff.raw)
	}
	p.want(p.do("POST", path+":publish", publisher, `{}`), 200)
	p.want(p.do("POST", path+":pause", publisher, ""), 200)
	back := p.want(p.do("POST", path+":rollback", publisher, `{"revision":1}`), 200)
	if back.number("revision") != 1 || back.text("state") != "paused" {
		t.Errorf("rollback: %s", back.raw)
	}
	p.problem(p.do("POST", path+":rollback", publisher, `{"revision":9}`), 404, "revision_not_found")
	p.want(p.do("POST", path+":resume", publisher, ""), 200)

	revisions := p.want(p.do("GET", path+"/revisions", editor, ""), 200)
	if len(revisions.items("items")) != 2 || revisions.at("items.1.inForce") != true || revisions.at("items.0.inForce") != false {
		t.Errorf("revisions: %s", revisions.raw)
	}
	if old := p.want(p.do("GET", path+"?revision=2", editor, ""), 200); old.text("promotion.rule") != "user.country == 'DE'" {
		t.Errorf("revision 2: %s", old.raw)
	}
	p.problem(p.do("GET", path+"?revision=7", editor, ""), 404, "revision_not_found")

	if gone := p.want(p.do("DELETE", path, publisher, ""), 204); gone.raw != "" {
		t.Errorf("delete answered %q", gone.raw)
	}
	if retired := p.want(p.do("GET", path, editor, ""), 200); retired.text("state") != "retired" {
		t.Errorf("after delete: %s", retired.raw)
	}
	if listed := p.want(p.do("GET", shop+"/promotions", editor, ""), 200); len(listed.items("items")) != 0 {
		t.Errorf("list: %s", listed.raw)
	}
	if listed := p.want(p.do("GET", shop+"/promotions?retired=true", editor, ""), 200); listed.text("items.0.name") != "Spring" &&
		listed.text("items.0.name") != "Offer spring" {
		t.Errorf("list with retired ones: %s", listed.raw)
	}
	audit := p.want(p.do("GET", shop+"/audit?limit=3", editor, ""), 200)
	if audit.text("items.0.action") != "promotion.retire" || len(audit.items("items")) != 3 || audit.text("nextCursor") == "" {
		t.Errorf("audit: %s", audit.raw)
	}
	next := p.want(p.do("GET", shop+"/audit?limit=100&cursor="+audit.text("nextCursor"), editor, ""), 200)
	if next.at("nextCursor") != nil || next.text("items.0.action") == "promotion.retire" {
		t.Errorf("audit, second page: %s", next.raw)
	}
}

func TestPublishingARuleForEverybodyAsksFirst(t *testing.T) {
	p := newPlane(t)
	p.declare()
	p.put("all", "true")
	p.problem(p.do("POST", shop+"/promotions/all:publish", p.keys[access.Publisher], ""), 422, "confirm_required")
	p.want(p.do("POST", shop+"/promotions/all:publish", p.keys[access.Publisher], `{"confirm":true}`), 200)
}

func TestAnIncompletePromotionIsSavedAndNotPublished(t *testing.T) {
	p := newPlane(t)
	r := p.want(p.do("PUT", shop+"/promotions/a", p.keys[access.Editor], `{"rule":"true"}`), 201)
	var fields []string
	for i := range r.items("issues") {
		fields = append(fields, r.text(fmt.Sprintf("issues.%d.field", i)))
	}
	if got := strings.Join(fields, " "); got != "name placements content.title rule" {
		t.Errorf("issues of %s\n%s", got, r.raw)
	}
	p.problem(p.do("POST", shop+"/promotions/a:publish", p.keys[access.Publisher], `{"confirm":true}`), 422, "promotion_invalid")
}

// TestMarkupIsText: what a marketer writes comes back as it was, in an answer that no browser takes for a page.
func TestMarkupIsText(t *testing.T) {
	p := newPlane(t)
	p.declare()
	const name = `<img src=x onerror=alert(1)>`
	p.want(p.do("PUT", shop+"/promotions/x", p.keys[access.Editor], promotion(name, "user.country == '<b>' && true")), 201)
	for _, path := range []string{"/promotions/x", "/promotions", "/promotions/x/revisions"} {
		r := p.want(p.do("GET", shop+path, p.keys[access.Viewer], ""), 200)
		if r.header.Get("Content-Type") != "application/json" || r.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(r.raw,
			name) {
			t.Errorf("%s: %v\n%s", path, r.header, r.raw)
		}
	}
}

func TestPagesOfPromotions(t *testing.T) {
	p := newPlane(t)
	for i := range 7 {
		p.put(fmt.Sprintf("p%d", i), "true")
	}
	var got []string
	for cursor, pages := "", 0; pages < 10; pages++ {
		r := p.want(p.do("GET", shop+"/promotions?limit=3"+cursor, p.keys[access.Viewer], ""), 200)
		for i := range r.items("items") {
			got = append(got, r.text(fmt.Sprintf("items.%d.id", i)))
		}
		if r.text("nextCursor") == "" {
			break
		}
		cursor = "&cursor=" + r.text("nextCursor")
	}
	if strings.Join(got, " ") != "p0 p1 p2 p3 p4 p5 p6" {
		t.Errorf("got %v", got)
	}
}

func TestRulesCheck(t *testing.T) {
	p := newPlane(t)
	p.declare()
	for _, tt := range []struct {
		rule string
		ok   bool
		code string
	}{
		{`user.country == 'US'`, true, ""},
		{`true`, true, "always_true"},
		{`user.country`, false, "must_be_bool"},
		{`events.count('purchas', days(7)) > 1`, false, "undeclared_event_type"},
	} {
		r := p.want(p.do("POST", shop+"/rules:check", p.keys[access.Viewer], `{"rule":"`+tt.rule+`"}`), 200)
		if r.at("ok") != tt.ok || r.text("issues.0.code") != tt.code {
			t.Errorf("%s: %s, want ok %v with %q", tt.rule, r.raw, tt.ok, tt.code)
		}
	}
	p.problem(p.do("POST", shop+"/rules:check", p.keys[access.Viewer], `{}`), 400, "missing_field")
}

// slowFleet never sees every replica apply.
type slowFleet struct{}

func (slowFleet) WaitApplied(ctx context.Context, _ string, _ uint64) (applied, live int) {
	<-ctx.Done()
	return 2, 3
}

func (slowFleet) Replicas(string) []events.ReplicaStatus {
	return []events.ReplicaStatus{{Replica: "r1", Live: true, Version: 5, Lag: -1}, {Replica: "r2", Live: false, Lag: 3_000_000}}
}

// TestAWaitThatRunsOutIsASuccess: the change is durable; the answer says how far it came.
func TestAWaitThatRunsOutIsASuccess(t *testing.T) {
	p := newPlane(t, func(_ *admin.Config, d *admin.Deps) { d.Fleet = slowFleet{} })
	p.declare()
	p.put("a", "user.country == 'US'")
	r := p.want(p.do("POST", shop+"/promotions/a:publish?wait=20ms", p.keys[access.Publisher], ""), 200)
	if r.number("replicas.applied") != 2 || r.number("replicas.live") != 3 || r.number("millis") < 20 {
		t.Errorf("publish: %s", r.raw)
	}
	status := p.want(p.do("GET", shop+"/status", p.keys[access.Viewer], ""), 200)
	if status.at("replicas.0.lagMillis") != nil || status.number("replicas.1.lagMillis") != 3 || status.number("rulesVersion") != 5 ||
		status.number("liveRulesVersion") != 5 || status.at("degraded") != false || status.number("promotions") != 1 {
		t.Errorf("status: %s", status.raw)
	}
}
