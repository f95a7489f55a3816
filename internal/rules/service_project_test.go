package rules_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

func TestCreateProject(t *testing.T) {
	s := rules.NewService(openStore(t), rules.ServiceConfig{})
	ctx := t.Context()
	if _, err := s.CreateProject(ctx, editor, project); err != nil {
		t.Fatal(err)
	}
	p, err := s.Project(ctx, project)
	if err != nil {
		t.Fatal(err)
	}
	if p.Version != 1 || p.Settings.OnStoreDown != rules.FailClosed || p.Settings.MaxStale != rules.Duration(time.Minute) ||
		p.Settings.TimeZone != "UTC" {
		t.Errorf("project %+v, want version 1 that fails closed", p)
	}
	if got := fmt.Sprint(p.Context); got != "[{platform string} {appVersion string} {locale string}]" {
		t.Errorf("context %s", got)
	}
	for name, tt := range map[string]struct {
		project string
		want    error
	}{
		"again":            {project, rules.ErrExists},
		"a malformed name": {"My Shop", profile.ErrProject},
		"no name":          {"", profile.ErrProject},
	} {
		if _, err := s.CreateProject(ctx, editor, tt.project); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := s.Project(ctx, "elsewhere"); !errors.Is(err, rules.ErrNoProject) {
		t.Errorf("unknown project: %v, want ErrNoProject", err)
	}
}

func TestSettings(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	for _, tt := range []struct {
		name  string
		in    rules.Settings
		field string // of the FieldError, "" for fine
	}{
		{"nothing means the defaults", rules.Settings{}, ""},
		{"stale for ten minutes", rules.Settings{
			OnStoreDown: rules.ServeStale, MaxStale: rules.Duration(10 * time.Minute),
			TimeZone: "Europe/Berlin",
		}, ""},
		{"an unknown policy", rules.Settings{OnStoreDown: "shrug"}, "onStoreDown"},
		{"an unknown policy for new fields", rules.Settings{NewFields: "drop"}, "newFields"},
		{"stale for a second less than one", rules.Settings{MaxStale: rules.Duration(time.Millisecond)}, "maxStale"},
		{"stale for a week", rules.Settings{MaxStale: rules.Duration(168 * time.Hour)}, "maxStale"},
		{"negative", rules.Settings{MaxStale: -1}, "maxStale"},
		{"a zone that is none", rules.Settings{TimeZone: "Mars/Phobos"}, "timeZone"},
		{"a zone that is a path", rules.Settings{TimeZone: "../../etc/passwd"}, "timeZone"},
		{"the machine's zone", rules.Settings{TimeZone: "Local"}, "timeZone"},
		{"a scheme of an app", rules.Settings{URLSchemes: []string{"MyShop"}}, ""},
		{"a scheme that runs code", rules.Settings{URLSchemes: []string{"ok", "JavaScript"}}, "urlSchemes[1]"},
		{"a scheme with ://", rules.Settings{URLSchemes: []string{"myshop://"}}, "urlSchemes[0]"},
		{"a cap of no sends", rules.Settings{Caps: []rules.SendCap{{Per: rules.Duration(time.Hour)}}}, "caps[0].sends"},
		{"quiet hours that never end", rules.Settings{QuietHours: &rules.QuietHours{From: "21:00", To: "21:00"}}, "quietHours.to"},
		{"quiet hours that are off", rules.Settings{QuietHours: &rules.QuietHours{Off: true}}, "quietHours.off"},
		{"a subscription twice", rules.Settings{Sends: &rules.SendSettings{
			Subscriptions: []rules.Subscription{{Channel: "push", ChannelID: 1}, {Channel: "push", ChannelID: 2}},
		}}, "sends.subscriptions[1].channel"},
		{"a conversion that nobody declared", rules.Settings{Sends: &rules.SendSettings{
			AfterConversion: &rules.AfterConversion{Event: "nothing", For: rules.Duration(time.Hour)},
		}}, "sends.afterConversion.event"},
		{"a block by nothing", rules.Settings{Sends: &rules.SendSettings{
			WhatsApp: &rules.WhatsAppSettings{MarketingBlock: &rules.MarketingBlock{}},
		}}, "sends.whatsapp.marketingBlock"},
		{"a block by an attribute that nobody declared", rules.Settings{Sends: &rules.SendSettings{
			WhatsApp: &rules.WhatsAppSettings{MarketingBlock: &rules.MarketingBlock{PhoneAttribute: "tel"}},
		}}, "sends.whatsapp.marketingBlock.phoneAttribute"},
		{"rules of sends", rules.Settings{Caps: []rules.SendCap{{Sends: 1, Per: rules.Duration(time.Hour)}}, Sends: &rules.SendSettings{
			Subscriptions: []rules.Subscription{{Channel: "push", ChannelID: 1}}, WhatsApp: &rules.WhatsAppSettings{EntryEvent: "ad_click"},
		}}, ""},
		{"a scheme again", rules.Settings{URLSchemes: []string{"MyShop"}}, ""},
		{"too many schemes", rules.Settings{URLSchemes: make([]string, 21)}, "urlSchemes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.PutSettings(t.Context(), editor, project, tt.in)
			var field *rules.FieldError
			switch {
			case tt.field == "" && err != nil:
				t.Errorf("got %v, want it accepted", err)
			case tt.field != "" && (!errors.As(err, &field) || field.Field != tt.field):
				t.Errorf("got %v, want a fault of %s", err, tt.field)
			}
		})
	}
	before, err := s.Project(t.Context(), project)
	if err != nil || before.Settings.URLSchemes[0] != "myshop" {
		t.Fatalf("settings %+v, %v; want the scheme in lower case", before, err)
	}
	if again, err := s.PutSettings(t.Context(), editor, project, before.Settings); err != nil || again.Changed ||
		again.Version != before.Version {
		t.Errorf("the same again: %+v, %v, want no new version", again, err)
	}
}

func TestDeclarations(t *testing.T) {
	ctx := t.Context()
	text, number := profile.Type{Kind: profile.String}, profile.Type{Kind: profile.Int}
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	context := func(name string, typ profile.Type) func() (rules.Applied, error) {
		return func() (rules.Applied, error) {
			return s.DeclareContext(ctx, editor, project, rules.ContextField{Name: name, Type: typ})
		}
	}
	placement := func(id int32, name string, limit int) func() (rules.Applied, error) {
		return func() (rules.Applied, error) {
			return s.DeclarePlacement(ctx, editor, project, rules.Placement{Placement: id, Name: name, Limit: limit})
		}
	}
	attribute := func(name string, typ profile.Type) func() (rules.Applied, error) {
		return func() (rules.Applied, error) { return s.DeclareAttribute(ctx, editor, project, name, typ, false) }
	}
	for _, tt := range []struct {
		name    string
		do      func() (rules.Applied, error)
		want    error
		changed bool
	}{
		{"a context field", context("screen.width", number), nil, true},
		{"the same context field", context("screen.width", number), nil, false},
		{"a context field of another type", context("screen.width", text), profile.ErrExists, false},
		{"a context field above another", context("screen", text), profile.ErrExists, false},
		{"a context field below a value", context("platform.version", text), profile.ErrExists, false},
		{"a context field that rules cannot write", context("in", text), profile.ErrName, false},
		{"a context field with a hyphen", context("app-version", text), profile.ErrName, false},
		{"a context field without a name", context("", text), profile.ErrName, false},
		{"a context list", context("tags", profile.Type{Kind: profile.String, Shape: profile.List}), profile.ErrType, false},
		{"a context field without a type", context("x", profile.Type{}), profile.ErrType, false},
		{"a context field named as a built-in attribute", context("email", text), nil, true},
		{"a placement", placement(102, "cards", 3), nil, true},
		{"the same placement", placement(102, "cards", 3), nil, false},
		{"a placement with another limit", placement(102, "cards", 4), profile.ErrExists, false},
		{"a placement without a limit has 1", placement(103, "list", 0), nil, true},
		{"which is the same as 1", placement(103, "list", 1), nil, false},
		{"an attribute", attribute("age", number), nil, true},
		{"the same attribute", attribute("age", number), nil, false},
		{"an attribute of another type", attribute("age", text), profile.ErrExists, false},
		{"a reserved attribute", attribute("consent.fax", number), profile.ErrReserved, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			applied, err := tt.do()
			if !errors.Is(err, tt.want) || applied.Changed != tt.changed {
				t.Errorf("got %+v, %v; want changed %v, error %v", applied, err, tt.changed, tt.want)
			}
		})
	}
	for name, p := range map[string]rules.Placement{
		"placement": {Placement: 0, Name: "x"}, "name": {Placement: 1, Name: " "}, "limit": {Placement: 1, Name: "x", Limit: 101},
	} {
		var field *rules.FieldError
		if _, err := s.DeclarePlacement(ctx, editor, project, p); !errors.As(err, &field) || field.Field != name {
			t.Errorf("placement %+v: %v, want a fault of %s", p, err, name)
		}
	}
	if _, err := s.PutPlacement(ctx, editor, project, rules.Placement{Placement: 102, Name: "cards", Limit: 4}); err != nil {
		t.Errorf("put: %v", err)
	}
	p, err := s.Project(ctx, project)
	if err != nil || fmt.Sprint(p.Placements) != "[{101 banner 1} {102 cards 4} {103 list 1}]" {
		t.Errorf("placements %v, %v", p.Placements, err)
	}
}

// TestAnotherReplicasChangesAreSeen: what a service remembers of a project is never older than the store.
func TestAnotherReplicasChangesAreSeen(t *testing.T) {
	store := openStore(t)
	here := newAuthoring(t, store, rules.ServiceConfig{})
	there := rules.NewService(store, rules.ServiceConfig{})
	ctx := t.Context()
	issues, err := here.CheckRule(ctx, project, "user.age > 18")
	if err != nil || !rules.Failed(issues) {
		t.Fatalf("undeclared: %v, %v", issues, err)
	}
	if _, err := there.DeclareAttribute(ctx, editor, project, "age", profile.Type{Kind: profile.Int}, false); err != nil {
		t.Fatal(err)
	}
	if issues, err := here.CheckRule(ctx, project, "user.age > 18"); err != nil || len(issues) != 0 {
		t.Errorf("declared there: %v, %v", issues, err)
	}
	if _, err := here.DeclareContext(ctx, editor, project, rules.ContextField{
		Name: "beta",
		Type: profile.Type{Kind: profile.Bool},
	}); err != nil {
		t.Fatal(err)
	}
	if issues, err := there.CheckRule(ctx, project, "request.beta && user.age > 18"); err != nil || len(issues) != 0 {
		t.Errorf("declared here: %v, %v", issues, err)
	}
}

func TestCommentsAreBounded(t *testing.T) {
	s := newAuthoring(t, openStore(t), rules.ServiceConfig{})
	save(t, s, offer("a", ruleUS))
	for name, comment := range map[string]string{"long": strings.Repeat("ü", 1001), "control": "a\x1b[2J"} {
		var field *rules.FieldError
		if _, err := s.Publish(t.Context(), editor, project, "a", rules.Intent{Comment: comment}); !errors.As(err, &field) ||
			field.Field != "comment" {
			t.Errorf("%s comment: %v, want a fault of comment", name, err)
		}
	}
	if _, err := s.Publish(t.Context(), editor, project, "a", rules.Intent{Comment: "first line\nsecond line"}); err != nil {
		t.Errorf("two lines: %v", err)
	}
}
