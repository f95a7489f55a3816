package rules_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// TestCheckOfADocument: each case breaks one thing of a promotion that has no issue, and names the issue that it must get.
func TestCheckOfADocument(t *testing.T) {
	schema := explainSchema(t)
	placements := []rules.Placement{{Placement: 101, Name: "banner", Limit: 1}}
	settings := rules.DefaultSettings()
	settings.URLSchemes = []string{"myshop"}
	at := func(text string) *time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return &parsed
	}
	for _, tt := range []struct {
		name   string
		change func(p *rules.Promotion)
		want   string // "field code", "" for none
	}{
		{"a complete one", func(*rules.Promotion) {}, ""},
		{"an id with a capital", func(p *rules.Promotion) { p.ID = "Spring" }, "id malformed"},
		{"an id with a slash", func(p *rules.Promotion) { p.ID = "a/b" }, "id malformed"},
		{"an id that begins with -", func(p *rules.Promotion) { p.ID = "-a" }, "id malformed"},
		{"an id of 65 characters", func(p *rules.Promotion) { p.ID = strings.Repeat("a", 65) }, "id malformed"},
		{"a blank name", func(p *rules.Promotion) { p.Name = "  " }, "name missing"},
		{"a name with markup is text", func(p *rules.Promotion) { p.Name = `<img src=x onerror=alert(1)>` }, ""},
		{"a name of 200 characters", func(p *rules.Promotion) { p.Name = strings.Repeat("ü", 200) }, ""},
		{"a name of 201 characters", func(p *rules.Promotion) { p.Name = strings.Repeat("ü", 201) }, "name too_long"},
		{"a name with a line break", func(p *rules.Promotion) { p.Name = "a\nb" }, "name malformed"},
		{"a negative campaign id", func(p *rules.Promotion) { p.CampaignID = -1 }, "campaignId out_of_range"},
		{"neither placement nor channel", func(p *rules.Promotion) { p.Placements = nil }, "placements missing"},
		{"a channel alone", func(p *rules.Promotion) { p.Placements, p.Channels = nil, []string{"push"} }, ""},
		{"an undeclared placement", func(p *rules.Promotion) { p.Placements[0].Placement = 9 }, "placements[0].placement undeclared_placement"},
		{
			"a placement twice", func(p *rules.Promotion) { p.Placements = append(p.Placements, p.Placements[0]) },
			"placements[1].placement duplicate",
		},
		{"priority 0", func(p *rules.Promotion) { p.Placements[0].Priority = 0 }, "placements[0].priority out_of_range"},
		{"too many placements", func(p *rules.Promotion) { p.Placements = make([]rules.PlacementTarget, 51) }, "placements too_many"},
		{"a part about sends", func(p *rules.Promotion) {
			p.Channels, p.Send = []string{"push"}, &rules.Send{Exclude: "user.age > 60", SendLimit: 1}
		}, ""},
		{"sends of no channel", func(p *rules.Promotion) { p.Send = &rules.Send{} }, "send unknown_channel"},
		{"an exclusion that is no rule", func(p *rules.Promotion) { p.Channels, p.Send = []string{"push"}, &rules.Send{Exclude: "user.age"} }, "send.exclude must_be_bool"},
		{"an exclusion of everybody", func(p *rules.Promotion) { p.Channels, p.Send = []string{"push"}, &rules.Send{Exclude: "true"} }, "send.exclude always_true"},
		{"a negative limit", func(p *rules.Promotion) { p.Channels, p.Send = []string{"push"}, &rules.Send{SendLimit: -1} }, "send.sendLimit out_of_range"},
		{"a cap of no sends", func(p *rules.Promotion) {
			p.Channels, p.Send = []string{"push"}, &rules.Send{Caps: []rules.SendCap{{Per: rules.Duration(time.Hour)}}}
		}, "send.caps[0].sends out_of_range"},
		{"a cap of an app's messages", func(p *rules.Promotion) {
			p.Channels, p.Send = []string{"push"}, &rules.Send{Caps: []rules.SendCap{{Channel: "embedded", Sends: 1, Per: rules.Duration(time.Hour)}}}
		}, "send.caps[0].channel unknown_channel"},
		{"a cap over a year", func(p *rules.Promotion) {
			p.Channels, p.Send = []string{"push"}, &rules.Send{Caps: []rules.SendCap{{Sends: 1, Per: rules.Duration(8760 * time.Hour)}}}
		}, "send.caps[0].per window_out_of_range"},
		{"quiet hours without an end", func(p *rules.Promotion) {
			p.Channels, p.Send = []string{"push"}, &rules.Send{QuietHours: &rules.QuietHours{From: "21:00"}}
		}, "send.quietHours.to malformed"},
		{"a quiet hour of 24", func(p *rules.Promotion) {
			p.Channels, p.Send = []string{"push"}, &rules.Send{QuietHours: &rules.QuietHours{From: "24:00", To: "08:00"}}
		}, "send.quietHours.from malformed"},
		{"no quiet hours, with hours", func(p *rules.Promotion) {
			p.Channels, p.Send = []string{"push"}, &rules.Send{QuietHours: &rules.QuietHours{Off: true, From: "21:00"}}
		}, "send.quietHours.off malformed"},
		{"a conversion that nobody declared", func(p *rules.Promotion) {
			p.Channels, p.Send = []string{"push"}, &rules.Send{AfterConversion: &rules.AfterConversion{Event: "nothing", For: rules.Duration(time.Hour)}}
		}, "send.afterConversion.event undeclared_event_type"},
		{"a message type whose list is not declared", func(p *rules.Promotion) {
			p.Channels, p.Send = []string{"push"}, &rules.Send{MessageType: &rules.MessageType{ID: 3}}
		}, "send.messageType undeclared_field"},
		{"a category that WhatsApp does not have", func(p *rules.Promotion) {
			p.Channels, p.Send = []string{"whatsapp"}, &rules.Send{WhatsApp: &rules.WhatsAppSend{Category: "spam"}}
		}, "send.whatsapp.category unknown_category"},
		{"an unknown channel", func(p *rules.Promotion) { p.Channels = []string{"fax"} }, "channels[0] unknown_channel"},
		{"a channel twice", func(p *rules.Promotion) { p.Channels = []string{"push", "push"} }, "channels[1] duplicate"},
		{"a schedule", func(p *rules.Promotion) {
			p.Schedule = &rules.Schedule{Start: at("2026-06-15T00:00:00Z"), End: at("2026-06-15T03:00:01+03:00")}
		}, ""},
		{"an open schedule", func(p *rules.Promotion) { p.Schedule = &rules.Schedule{} }, ""},
		{"a schedule that ends as it starts", func(p *rules.Promotion) {
			p.Schedule = &rules.Schedule{Start: at("2026-06-15T00:00:00Z"), End: at("2026-06-15T03:00:00+03:00")}
		}, "schedule.end schedule_order"},
		{
			"a schedule of the year 9000", func(p *rules.Promotion) { p.Schedule = &rules.Schedule{End: at("9000-01-01T00:00:00Z")} },
			"schedule.end out_of_range",
		},
		{"a cap", func(p *rules.Promotion) {
			p.FrequencyCap = &rules.FrequencyCap{Impressions: 3, Per: rules.Duration(profile.DefaultRetention)}
		}, ""},
		{
			"a cap of 0", func(p *rules.Promotion) { p.FrequencyCap = &rules.FrequencyCap{Per: rules.Duration(time.Hour)} },
			"frequencyCap.impressions out_of_range",
		},
		{"a cap that cannot be counted", func(p *rules.Promotion) {
			p.FrequencyCap = &rules.FrequencyCap{Impressions: rules.MaxCapImpressions + 1, Per: rules.Duration(time.Hour)}
		}, "frequencyCap.impressions out_of_range"},
		{
			"a cap over no time", func(p *rules.Promotion) { p.FrequencyCap = &rules.FrequencyCap{Impressions: 1} },
			"frequencyCap.per window_out_of_range",
		},
		{"a cap beyond retention", func(p *rules.Promotion) {
			p.FrequencyCap = &rules.FrequencyCap{Impressions: 1, Per: rules.Duration(profile.DefaultRetention + 1)}
		}, "frequencyCap.per window_out_of_range"},
		{"a holdout of 12.34 percent", func(p *rules.Promotion) { p.Holdout = &rules.Holdout{Percent: 12.34, Salt: "s"} }, ""},
		{"a holdout of everybody", func(p *rules.Promotion) { p.Holdout = &rules.Holdout{Percent: 100, Salt: "s"} }, ""},
		{
			"a holdout of 12.345 percent", func(p *rules.Promotion) { p.Holdout = &rules.Holdout{Percent: 12.345, Salt: "s"} },
			"holdout.percent out_of_range",
		},
		{
			"a holdout above 100", func(p *rules.Promotion) { p.Holdout = &rules.Holdout{Percent: 100.01, Salt: "s"} },
			"holdout.percent out_of_range",
		},
		{
			"a holdout that is no number", func(p *rules.Promotion) { p.Holdout = &rules.Holdout{Percent: math.NaN(), Salt: "s"} },
			"holdout.percent out_of_range",
		},
		{"a holdout without salt", func(p *rules.Promotion) { p.Holdout = &rules.Holdout{Percent: 5} }, "holdout.salt missing"},
		{
			"a salt that could pass for another", func(p *rules.Promotion) { p.Holdout = &rules.Holdout{Percent: 5, Salt: "a\x00b"} },
			"holdout.salt malformed",
		},
		{"no title", func(p *rules.Promotion) { p.Content.Title = "" }, "content.title missing"},
		{"content of 33 KiB", func(p *rules.Promotion) { p.Content.Body = strings.Repeat("x", 33<<10) }, "content too_large"},
		{"a payload that is a list", func(p *rules.Promotion) { p.Content.Payload = json.RawMessage("[1]") }, "content.payload malformed"},
		{"two buttons of one id", func(p *rules.Promotion) {
			p.Content.Buttons = []rules.Button{{ID: "b", Title: "A"}, {ID: "b", Title: "B"}}
		}, "content.buttons[1].id duplicate"},
		{"a text without id", func(p *rules.Promotion) { p.Content.Text = []rules.Text{{Text: "x"}} }, "content.text[0].id missing"},
		{"a rule with a misspelt attribute", func(p *rules.Promotion) { p.Rule = "user.contry == 'US'" }, "rule undeclared_field"},
		{"an empty rule", func(p *rules.Promotion) { p.Rule = "" }, "rule syntax_error"},
		{"a rule that is true for all", func(p *rules.Promotion) { p.Rule = "user.country == 'US' || true" }, "rule always_true"},
		{"a rule that is false for all", func(p *rules.Promotion) { p.Rule = "user.vip && false" }, "rule always_false"},
		{"a rule that looks constant and is not", func(p *rules.Promotion) { p.Rule = "user.vip || false" }, ""},
		{"a constant branch", func(p *rules.Promotion) { p.Rule = "!true ? user.vip : !(false)" }, "rule always_true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := offer("spring", ruleUS)
			tt.change(&p)
			issues := rules.Check(schema, nil, placements, settings, &p)
			got := ""
			for i, issue := range issues {
				if i > 0 {
					got += "; "
				}
				got += issue.Field + " " + issue.Code
				if issue.Message == "" {
					t.Errorf("%s: no message", got)
				}
			}
			if got != tt.want {
				t.Errorf("got issues %q, want %q", got, tt.want)
			}
			if issues == nil {
				t.Error("issues are nil, want an empty list")
			}
		})
	}
}

func TestURLsOfContent(t *testing.T) {
	schema := profile.NewSchema()
	settings := rules.DefaultSettings()
	settings.URLSchemes = []string{"myshop"}
	for _, tt := range []struct {
		url  string
		want string // code, "" for fine
	}{
		{"https://shop.example/a?b=c#d", ""},
		{"HTTPS://shop.example", ""},
		{"http://shop.example", ""},
		{"mailto:help@shop.example", ""},
		{"tel:+4930123", ""},
		{"action://openCart", ""},
		{"myshop://cart/1", ""},
		{"othershop://cart", "url_not_allowed"},
		{"javascript:alert(1)", "url_not_allowed"},
		{"JaVaScRiPt:alert(1)", "url_not_allowed"},
		{"data:text/html,x", "url_not_allowed"},
		{"file:///etc/passwd", "url_not_allowed"},
		{"//shop.example/x", "url_not_allowed"},
		{"shop.example", "url_not_allowed"},
		{" javascript:alert(1)", "malformed"},
		{"java\nscript:alert(1)", "malformed"},
		{"https://shop.example/a b", "malformed"},
		{`https:\\shop.example`, "malformed"},
		{"https:///nowhere", "malformed"},
		{"https://" + strings.Repeat("a", 5000), "too_long"},
	} {
		t.Run(fmt.Sprintf("%.30q", tt.url), func(t *testing.T) {
			for place, put := range map[string]func(c *rules.Content){
				"content.mediaUrl":           func(c *rules.Content) { c.MediaURL = tt.url },
				"content.defaultAction.data": func(c *rules.Content) { c.DefaultAction = &rules.Action{Type: "openUrl", Data: tt.url} },
				"content.defaultAction.type": func(c *rules.Content) { c.DefaultAction = &rules.Action{Type: tt.url} },
				"content.buttons[0].action.data": func(c *rules.Content) {
					c.Buttons = []rules.Button{{ID: "b", Title: "B", Action: &rules.Action{Type: "openUrl", Data: tt.url}}}
				},
			} {
				p := rules.Promotion{ID: "a", Name: "A", Rule: "has(user.email)", Channels: []string{"push"}, Content: rules.Content{Title: "t"}}
				put(&p.Content)
				issues := rules.Check(schema, nil, nil, settings, &p)
				if tt.want == "" && len(issues) == 0 {
					continue
				}
				if len(issues) != 1 || issues[0].Code != tt.want || issues[0].Field != place {
					t.Errorf("%s: issues %+v, want one %q there", place, issues, tt.want)
				}
			}
		})
	}
}

func TestValidPromotionID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "fathers-day-2026": true, "0": true, "": false, "a_b": false, "ä": false, "a:b": false,
		"a.b": false,
	} {
		if got := rules.ValidPromotionID(id); got != want {
			t.Errorf("ValidPromotionID(%q) = %v, want %v", id, got, want)
		}
	}
}

// TestEveryIssueNamesAPlace: an author must be able to find what is meant.
func TestEveryIssueNamesAPlace(t *testing.T) {
	issues := rules.Check(profile.NewSchema(), nil, nil, rules.DefaultSettings(), &rules.Promotion{Rule: "user.x == 1"})
	if !rules.Failed(issues) || slices.ContainsFunc(issues, func(i rules.Issue) bool { return i.Field == "" }) {
		t.Errorf("issues %+v, want each with a field", issues)
	}
	if i := issues[len(issues)-1]; i.Field != "rule" || i.Line != 1 || i.Column == 0 {
		t.Errorf("issue of the rule: %+v, want a line and column", i)
	}
}
