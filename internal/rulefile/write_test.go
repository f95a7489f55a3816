package rulefile

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"eligibility/internal/rules"

	"pgregory.net/rapid"
)

// anyText is text that YAML could take for something else.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"true", "null", "~", "yes", "1", "1.0", "0x1f", "2026-06-15", "2026-06-15T00:00:00Z", "- a", "a: b", "a #b", "'", "\"", "!x", "&x", "*x", "{}", "[]", "|", ">",
		"<<", "", " a", "a ", "a\nb", "a\n", "\n", "\ta", "é🎉", "a: 'b'\n  c: d\n", "user.a == 'b' && user.c == \"d\"", "!user.?x.orValue(false) || user.y == 'z'",
	}))
}

func anyPromotion(t *rapid.T) rules.Promotion {
	p := rules.Promotion{
		ID: rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,8}`).Draw(t, "id"), Name: anyText().Draw(t, "name"), Rule: anyText().Draw(t, "rule"),
		CampaignID: rapid.Int32Range(0, 2000).Draw(t, "campaign"),
		Content:    rules.Content{Title: anyText().Draw(t, "title"), Body: anyText().Draw(t, "body")},
	}
	for range rapid.IntRange(0, 2).Draw(t, "placements") {
		p.Placements = append(p.Placements, rules.PlacementTarget{Placement: rapid.Int32().Draw(t, "placement"), Priority: rapid.Int32().Draw(t, "priority")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "channels") {
		p.Channels = append(p.Channels, anyText().Draw(t, "channel"))
	}
	if rapid.Bool().Draw(t, "scheduled") {
		start := time.Unix(0, rapid.Int64Range(0, 4e18).Draw(t, "start")).UTC()
		p.Schedule = &rules.Schedule{Start: &start}
	}
	if rapid.Bool().Draw(t, "capped") {
		p.FrequencyCap = &rules.FrequencyCap{Impressions: rapid.Int64().Draw(t, "impressions"), Per: rules.Duration(rapid.Int64().Draw(t, "per"))}
	}
	if rapid.Bool().Draw(t, "held") {
		p.Holdout = &rules.Holdout{Percent: rapid.Float64Range(0, 100).Draw(t, "percent"), Salt: anyText().Draw(t, "salt")}
	}
	if rapid.Bool().Draw(t, "payload") {
		payload := map[string]any{
			anyText().Draw(t, "key"): anyText().Draw(t, "value"), "n": rapid.Int64().Draw(t, "n"), "x": rapid.Float64Range(-1e300, 1e300).Draw(t, "x"),
			"list": []any{nil, true, "true", map[string]any{}},
		}
		encoded, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		p.Content.Payload = encoded
	}
	return p
}

// TestWrittenPromotionsReadBackTheSame, whatever their texts look like to YAML.
func TestWrittenPromotionsReadBackTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPromotion(t)
		text, err := Marshal(&p)
		if err != nil {
			t.Fatal(err)
		}
		f := &File{Path: "p.yaml"}
		if faults := f.parse(text); len(faults) > 0 {
			t.Fatalf("%s\n%v", text, faults)
		}
		var back rules.Promotion
		if faults := f.decode(f.documents[0], &back); len(faults) > 0 {
			t.Fatalf("%s\n%v", text, faults)
		}
		found, err := rules.Differences(&p, &back)
		if err != nil || len(found) > 0 {
			t.Fatalf("%s\nreads back otherwise: %+v, %v", text, found, err)
		}
	})
}

func TestWrittenPromotionsReadWell(t *testing.T) {
	p := rules.Promotion{
		ID: "a", Name: "Father's Day, 20 % off", Rule: "!user.vip || user.country == 'US'",
		Placements: []rules.PlacementTarget{{Placement: 101, Priority: 1}}, Channels: []string{"embedded"},
		FrequencyCap: &rules.FrequencyCap{Impressions: 3, Per: rules.Duration(168 * time.Hour)},
		Content:      rules.Content{Title: "T & T", Buttons: []rules.Button{{ID: "b", Title: "c", Action: &rules.Action{Type: "openUrl", Data: "https://x.example"}}}},
	}
	got, err := Marshal(&p)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.TrimPrefix(`
id: a
name: Father's Day, 20 % off
rule: |-
  !user.vip || user.country == 'US'
placements:
  - {placement: 101, priority: 1}
channels: [embedded]
frequencyCap: {impressions: 3, per: 168h}
content:
  title: T & T
  buttons:
    - id: b
      title: c
      action: {type: openUrl, data: 'https://x.example'}
`, "\n")
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestACampaignIDThatIsLeftToTheServerIsNoDifference(t *testing.T) {
	start := time.Date(2026, 6, 15, 0, 0, 0, 0, time.FixedZone("", 7200))
	utc := start.UTC()
	older := rules.Promotion{ID: "a", CampaignID: 7, Schedule: &rules.Schedule{Start: &utc}}
	newer := rules.Promotion{ID: "a", Schedule: &rules.Schedule{Start: &start}}
	if found, err := Differences(&older, &newer); err != nil || len(found) != 0 {
		t.Errorf("got %+v, %v; want no difference", found, err)
	}
	newer.CampaignID = 8
	if found, _ := Differences(&older, &newer); len(found) != 1 {
		t.Errorf("got %+v; want the campaign id", found)
	}
}
