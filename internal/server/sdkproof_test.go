package server

import (
	"fmt"
	"testing"
	"time"

	"eligibility/internal/rules"
	"eligibility/internal/stream"
)

// prove drafts a promotion and sends it as a proof to the test user ada.
func (p *plane) prove(promotion rules.Promotion, in rules.ProofIntent) {
	p.t.Helper()
	ctx, actor := p.t.Context(), rules.Actor{ID: "k4"}
	promotion.Name, promotion.Content.Title = promotion.ID, "Draft of "+promotion.ID
	if _, err := p.authoring.SaveDraft(ctx, actor, "shop", promotion, ""); err != nil {
		p.t.Fatal(err)
	}
	if _, _, err := p.authoring.PutTestUsers(ctx, actor, "shop", []string{"ada"}); err != nil {
		p.t.Fatal(err)
	}
	if _, _, err := p.authoring.SendProof(ctx, actor, "shop", promotion.ID, in); err != nil {
		p.t.Fatal(err)
	}
	p.reload("shop")
}

// proofs lists the titles of an answer's proofs.
func proofs(a *answer) (titles []string) {
	for _, item := range a.json["placements"].([]any) {
		for _, m := range item.(map[string]any)["embeddedMessages"].([]any) {
			if m := m.(map[string]any); m["metadata"].(map[string]any)["isProof"] == true {
				titles = append(titles, m["elements"].(map[string]any)["title"].(string))
			}
		}
	}
	return titles
}

func TestProofsAreShownToTestUsersAlone(t *testing.T) {
	p := newPlane(t)
	for _, user := range []string{"ada", "eve"} {
		p.put(user, `{"attributes":{"country":"DE","age":30}}`)
		p.warm(user)
	}
	p.prove(rules.Promotion{ID: "next", Rule: "user.country == 'nowhere'", Placements: target(102, 5)}, rules.ProofIntent{})
	got, a := p.sync(openKey, "userId=ada")
	if got != "101:german 102:Draft of next,capped" || fmt.Sprint(proofs(a)) != "[Draft of next]" {
		t.Errorf("the test user sees %s, proofs %v: its rule does not count, and the live ones stay", got, proofs(a))
	}
	if until, err := time.Parse(time.RFC3339Nano, a.header.Get(headerValidUntil)); err != nil || time.Until(until) > rules.ProofLife {
		t.Errorf("it holds until %q, beyond the proof", a.header.Get(headerValidUntil))
	}
	if _, again := p.sync(openKey, "userId=ada&placementIds=101"); len(proofs(again)) > 0 {
		t.Errorf("asked for another placement: %s", again.body)
	}
	if other, b := p.sync(openKey, "userId=eve"); other != "101:german 102:capped" || len(proofs(b)) > 0 {
		t.Errorf("another user sees %s", other)
	}
	if b := p.call("GET", pathMessages+"?userId=ada", openKey, "", "If-None-Match", a.header.Get("ETag")); b.status != 304 {
		t.Errorf("asked again with its tag: %d", b.status)
	}
	if b := p.decide(`{"userId":"ada"}`); b.contains("Draft of") {
		t.Errorf("the own call shows a proof: %s", b.body)
	}
}

func TestAProofStandsInForTheLiveRevision(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"DE"}}`)
	p.prove(rules.Promotion{ID: "german", Rule: "this is no rule (", Placements: target(101, 1)}, rules.ProofIntent{})
	if got, _ := p.sync(openKey, "userId=ada"); got != "101:Draft of german 102:" {
		t.Errorf("got %s", got)
	}
	if _, _, err := p.authoring.SendProof(t.Context(), rules.Actor{ID: "k4"}, "shop", "german", rules.ProofIntent{Withdraw: true}); err != nil {
		t.Fatal(err)
	}
	p.reload("shop")
	if got, _ := p.sync(openKey, "userId=ada"); got != "101:german 102:" {
		t.Errorf("after it was withdrawn: %s", got)
	}
}

func TestAProofEnds(t *testing.T) {
	p := newPlane(t)
	p.prove(rules.Promotion{ID: "next", Rule: "true", Placements: target(102, 5)}, rules.ProofIntent{For: time.Second})
	waitFor(t, func() bool { got, _ := p.sync(openKey, "userId=ada"); return got == "101: 102:" })
}

// TestWhatATestUserDoesWithAProofIsNotCounted: no event is stored about it, so that no cap and no rule sees it.
func TestWhatATestUserDoesWithAProofIsNotCounted(t *testing.T) {
	p := newPlane(t)
	p.put("ada", `{"attributes":{"country":"DE"}}`)
	p.prove(rules.Promotion{
		ID: "german", Rule: "true", Placements: target(101, 1), FrequencyCap: &rules.FrequencyCap{Impressions: 1, Per: rules.Duration(time.Hour)},
	}, rules.ProofIntent{})
	_, a := p.sync(openKey, "userId=ada")
	id := messageIDs(a)[0]
	const base = "/api/embedded-messaging/events/"
	for _, call := range []string{"received", "click", "dismiss"} {
		p.sdkPost(openKey, base+call, fmt.Sprintf(`{"userId":"ada","messageId":%q}`, id), "Success")
	}
	p.sdkPost(openKey, base+"session", fmt.Sprintf(`{"userId":"ada","session":{"id":"s","start":1,"end":2},`+
		`"impressions":[{"messageId":%q,"placementId":101,"displayCount":3,"displayDuration":1}]}`, id), "Success")
	if b := p.call("POST", "/v1/engagement", openKey, fmt.Sprintf(`{"userId":"ada","messageId":%q,"kind":"impression","count":3}`, id)); b.status != 200 {
		t.Errorf("%d %s", b.status, b.body)
	}
	if b := p.call("GET", "/v1/users/ada", serverKey, ""); b.contains("embedded_") {
		t.Errorf("stored: %s", b.body)
	}
	if got, _ := p.sync(openKey, "userId=ada"); got != "101:Draft of german 102:" {
		t.Errorf("then the test user sees %s", got)
	}
}

func TestAStreamTellsOfAProof(t *testing.T) {
	p := newPlane(t)
	subject := &stream.Subject{Question: []byte(`{}`)}
	subject.Key.Project, subject.Key.User = "shop", "ada"
	digest := func() uint64 {
		o, err := p.Ask(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		return o.Digest
	}
	before := digest()
	p.prove(rules.Promotion{ID: "next", Rule: "true", Placements: target(102, 5)}, rules.ProofIntent{})
	if digest() == before {
		t.Error("the answer of a stream is the same with a proof")
	}
}
