package server

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// sdkBodyFaults reads a body of messages as the strictest of the mobile SDKs would, and says what would make one of them fail: a whole
// sync, or the app.
func sdkBodyFaults(body []byte) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	var root map[string]any
	if json.Unmarshal(body, &root) != nil {
		return []string{"not an object"}
	}
	placements, ok := root["placements"].([]any)
	if !ok {
		fault("placements is no list: iOS cannot decode it")
	}
	seen := make(map[float64]bool)
	for _, item := range placements {
		placement, _ := item.(map[string]any)
		id, ok := placement["placementId"].(float64)
		if !ok || id != math.Trunc(id) || seen[id] {
			fault("placementId %v: iOS force-unwraps it", placement["placementId"])
		}
		seen[id] = true
		messages, ok := placement["embeddedMessages"].([]any)
		if !ok {
			fault("embeddedMessages is no list: Android throws")
		}
		for _, m := range messages {
			faults = append(faults, sdkMessageFaults(m.(map[string]any), id)...)
		}
	}
	return faults
}

func sdkMessageFaults(m map[string]any, placement float64) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	metadata, _ := m["metadata"].(map[string]any)
	if id, _ := metadata["messageId"].(string); id == "" {
		fault("no messageId")
	}
	if metadata["placementId"] != placement {
		fault("metadata.placementId %v: the web SDK compares with ===", metadata["placementId"])
	}
	for _, name := range []string{"campaignId", "priorityOrder"} {
		if n, ok := metadata[name].(float64); !ok || n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
			fault("%s %v is no 32-bit integer", name, metadata[name])
		}
	}
	if _, ok := metadata["isProof"].(bool); !ok {
		fault("isProof is no boolean")
	}
	if payload, has := m["payload"]; has {
		if _, ok := payload.(map[string]any); !ok {
			fault("payload is no object: iOS needs one")
		}
	}
	elements, _ := m["elements"].(map[string]any)
	for _, name := range []string{"title", "body", "mediaUrl", "mediaUrlCaption"} {
		if text, has := elements[name]; has {
			if _, ok := text.(string); !ok {
				fault("%s is no string", name)
			}
		}
	}
	action := func(where string, raw any) {
		if a, has := raw.(map[string]any); raw != nil || has {
			_, typed := a["type"].(string)
			_, dated := a["data"].(string)
			if !typed || !dated {
				fault("%s lacks type or data: Android throws", where)
			}
		}
	}
	action("defaultAction", elements["defaultAction"])
	for _, list := range []string{"buttons", "text"} {
		items, _ := elements[list].([]any)
		for _, raw := range items {
			item, _ := raw.(map[string]any)
			if id, _ := item["id"].(string); id == "" {
				fault("%s without an id: Android throws, iOS drops all elements", list)
			}
			action(list+" action", item["action"])
		}
	}
	return faults
}

// TestMobileSDKsCanReadEveryContent publishes what a marketer can write and reads it as the mobile SDKs do.
func TestMobileSDKsCanReadEveryContent(t *testing.T) {
	full := rules.Content{
		Title: "t", Body: "<b>&\u2028", MediaURL: "https://x/i.png", MediaURLCaption: "c", DefaultAction: &rules.Action{Type: "action://go"},
		Buttons: []rules.Button{{ID: "b1", Title: "Go", Action: &rules.Action{Type: "openUrl", Data: "https://x"}}, {ID: "b2", Title: "No"}},
		Text:    []rules.Text{{ID: "t1", Text: "x"}}, Payload: json.RawMessage(`{"deep":{"er":[1,null]}}`),
	}
	for name, content := range map[string]rules.Content{"everything": full, "a title": {Title: "t"}} {
		t.Run(name, func(t *testing.T) {
			spec := &rules.Spec{
				Project: "shop", Version: 1, Schema: profile.NewSchema(),
				Placements: []rules.Placement{{Placement: 101, Name: "home", Limit: 3}},
			}
			spec.Promotions = rules.NewRoll(rules.LivePromotion{Promotion: &rules.Promotion{
				ID: "p", Name: "p", CampaignID: math.MaxInt32, Rule: "true", Placements: target(101, 1), Content: content,
			}, Revision: 1})
			rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(spec, nil)
			if err != nil || len(rs.Quarantined) > 0 {
				t.Fatal(err, rs.Quarantined)
			}
			table, _ := rs.Placement(101)
			var fragment string
			for _, candidate := range table.All() {
				fragment = candidate.Promotion.SDKFragment(101)
			}
			body := fmt.Sprintf(`{"placements":[{"placementId":101,"embeddedMessages":[%s]}]}`, fragment)
			for _, fault := range sdkBodyFaults([]byte(body)) {
				t.Errorf("%s: %s", fault, body)
			}
		})
	}
	for _, broken := range []string{
		`{}`, `{"placements":{}}`, `{"placements":[{}]}`, `{"placements":[{"placementId":1},{"placementId":1}]}`,
		`{"placements":[{"placementId":1,"embeddedMessages":[{"metadata":{"placementId":"1"},"elements":{"buttons":[{"action":{"type":"x"}}]},"payload":null}]}]}`,
	} {
		if len(sdkBodyFaults([]byte(broken))) == 0 {
			t.Errorf("%s passes", broken)
		}
	}
}
