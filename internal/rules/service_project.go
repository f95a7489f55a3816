package rules

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"eligibility/internal/profile"
)

// Limits of a project's settings.
const (
	MaxStale        = 24 * time.Hour // of the oldest answer that serve_stale may give
	MaxURLSchemes   = 20
	MaxPlacementTop = 100 // messages that a placement shows at most
)

// DefaultSettings are those of a new project: an answer that cannot be proven fresh is refused.
func DefaultSettings() Settings {
	return Settings{OnStoreDown: FailClosed, MaxStale: Duration(time.Minute), TimeZone: "UTC", NewFields: ObserveNewFields}
}

// DefaultContext is what every new project's requests may carry.
func DefaultContext() []ContextField {
	text := profile.Type{Kind: profile.String}
	return []ContextField{{Name: "platform", Type: text}, {Name: "appVersion", Type: text}, {Name: "locale", Type: text}}
}

// CreateProject makes a project with DefaultSettings, the built-in schema and the context fields platform, appVersion and locale. ErrExists
// when there is one of this name.
func (s *Service) CreateProject(ctx context.Context, a Actor, project string) (Applied, error) {
	if !profile.ValidProject(project) {
		return Applied{}, profile.ErrProject
	}
	spec := Spec{
		Project: project, Version: 1, Settings: DefaultSettings(), Schema: profile.NewSchema(), Context: DefaultContext(),
		Placements: []Placement{},
	}
	audited := entry(a, project, "project.create", project, nil, spec.Settings)
	audited.Version = spec.Version
	at, err := s.repo.CreateProject(ctx, spec, audited)
	if err != nil {
		return Applied{}, err
	}
	return Applied{Version: spec.Version, At: at, Changed: true}, nil
}

// PutSettings replaces the project's settings. FieldError for a value that is not allowed.
func (s *Service) PutSettings(ctx context.Context, a Actor, project string, settings Settings) (Applied, error) {
	settings, err := CheckSettings(settings)
	if err != nil {
		return Applied{}, err
	}
	return s.change(ctx, a, project, func(f *frame) (*Commit, error) {
		before, after := f.settings, settings
		after.Proving = before.Proving
		if digest(before) == digest(after) {
			return nil, nil
		}
		schema, err := SendSchema(f.schema, &after)
		if err != nil {
			return nil, err
		}
		if schema == f.schema {
			schema = nil
		}
		return &Commit{NewVersion: true, Settings: &after, Schema: schema, Audit: entry(a, project, "settings.put", project, before, after)}, nil
	})
}

// schemePattern is RFC 3986's, in lower case.
var schemePattern = regexp.MustCompile(`^[a-z][a-z0-9+.-]{0,31}$`)

// CheckSettings fills what is left out from the defaults and refuses what is not allowed with a FieldError.
func CheckSettings(in Settings) (Settings, error) {
	defaults := DefaultSettings()
	if in.OnStoreDown == "" {
		in.OnStoreDown = defaults.OnStoreDown
	}
	if in.MaxStale == 0 {
		in.MaxStale = defaults.MaxStale
	}
	if in.TimeZone == "" {
		in.TimeZone = defaults.TimeZone
	}
	if in.NewFields == "" {
		in.NewFields = defaults.NewFields
	}
	if in.Proving != nil {
		return in, &FieldError{"proving", "test users and proofs have calls of their own"}
	}
	if in.NewFields != ObserveNewFields && in.NewFields != DeclareNewFields {
		return in, &FieldError{"newFields", "use observe or declare"}
	}
	if in.OnStoreDown != FailClosed && in.OnStoreDown != ServeStale {
		return in, &FieldError{"onStoreDown", "use fail_closed or serve_stale"}
	}
	if stale := time.Duration(in.MaxStale); stale < time.Second || stale > MaxStale {
		return in, &FieldError{"maxStale", "use a duration from 1s to " + printed(MaxStale)}
	}
	// "Local" would mean another zone on every machine.
	if _, err := time.LoadLocation(in.TimeZone); err != nil || in.TimeZone == "Local" {
		return in, &FieldError{"timeZone", "use an IANA time zone such as Europe/Berlin"}
	}
	if len(in.URLSchemes) > MaxURLSchemes {
		return in, &FieldError{"urlSchemes", fmt.Sprintf("declare at most %d schemes", MaxURLSchemes)}
	}
	schemes := make([]string, 0, len(in.URLSchemes))
	for i, scheme := range in.URLSchemes {
		scheme = strings.ToLower(scheme)
		if !schemePattern.MatchString(scheme) || slices.Contains(forbiddenSchemes(), scheme) {
			return in, &FieldError{fmt.Sprintf("urlSchemes[%d]", i), "use the scheme of an app, such as myshop, without ://"}
		}
		if !slices.Contains(schemes, scheme) {
			schemes = append(schemes, scheme)
		}
	}
	if err := checkSends(&in); err != nil {
		return in, err
	}
	slices.Sort(schemes)
	in.URLSchemes = schemes
	if len(schemes) == 0 {
		in.URLSchemes = nil
	}
	return in, nil
}

// DeclareAttribute adds an attribute to the schema. Declaring what exists with the same definition changes nothing. Errors: those of
// profile.Schema.WithAttribute.
func (s *Service) DeclareAttribute(ctx context.Context, a Actor, project, name string, typ profile.Type, serverOnly bool) (Applied, error) {
	return s.declare(ctx, a, project, "attribute.declare", name, func(schema *profile.Schema) (*profile.Schema, error) {
		return schema.WithAttribute(name, typ, serverOnly)
	}, func(schema *profile.Schema) any {
		if attribute, ok := schema.Attribute(name); ok {
			return attribute
		}
		return nil
	})
}

// DeclareEventType adds an event type, or properties to one. Errors: those of profile.Schema.WithEventType.
func (s *Service) DeclareEventType(ctx context.Context, a Actor, project, name string, properties map[string]profile.Type) (Applied,
	error,
) {
	return s.declare(ctx, a, project, "event_type.declare", name, func(schema *profile.Schema) (*profile.Schema, error) {
		return schema.WithEventType(name, properties)
	}, func(schema *profile.Schema) any {
		if typ, ok := schema.EventType(name); ok {
			return typ
		}
		return nil
	})
}

func (s *Service) declare(ctx context.Context, a Actor, project, action, target string,
	with func(*profile.Schema) (*profile.Schema, error), part func(*profile.Schema) any,
) (Applied, error) {
	return s.change(ctx, a, project, func(f *frame) (*Commit, error) {
		next, err := with(f.schema)
		if err != nil || next == f.schema {
			return nil, err
		}
		return &Commit{NewVersion: true, Schema: next, Audit: entry(a, project, action, target, part(f.schema), part(next))}, nil
	})
}

// DeclareContext adds a field that requests may carry. Declaring what exists with the same type changes nothing; another type is
// profile.ErrExists.
func (s *Service) DeclareContext(ctx context.Context, a Actor, project string, field ContextField) (Applied, error) {
	return s.change(ctx, a, project, func(f *frame) (*Commit, error) {
		next, err := WithContext(f.context, field)
		if err != nil || len(next) == len(f.context) {
			return nil, err
		}
		return &Commit{NewVersion: true, Context: next, Audit: entry(a, project, "context.declare", field.Name, nil, field)}, nil
	})
}

// WithContext returns the fields with one more. Declaring what exists with the same type returns the fields themselves; another type is
// profile.ErrExists.
func WithContext(fields []ContextField, field ContextField) ([]ContextField, error) {
	for _, old := range fields {
		if old.Name == field.Name && old.Type == field.Type {
			return fields, nil
		}
		if old.Name == field.Name {
			return nil, fmt.Errorf("context field %q is %s: %w (a new type is a new field)", field.Name, old.Type, profile.ErrExists)
		}
	}
	switch {
	case field.Type.Shape != profile.Scalar || field.Type.Kind.String() == "invalid":
		return nil, fmt.Errorf("context field %.64q: %w: use bool, int, double, string or timestamp", field.Name, profile.ErrType)
	case len(fields) >= MaxContextFields:
		return nil, fmt.Errorf("%w: a project has at most %d context fields", profile.ErrTooMany, MaxContextFields)
	}
	if err := fitsContext(fields, field); err != nil {
		return nil, err
	}
	return append(slices.Clone(fields), field), nil
}

// fitsContext refuses a name that rules cannot write, and one that would make a value of what has fields or the reverse. Both are as with
// attributes, so a schema made of the fields says it.
func fitsContext(fields []ContextField, field ContextField) error {
	const below = "request."
	scratch := &profile.Schema{}
	scratch.Index()
	var err error
	for _, f := range append(slices.Clone(fields), field) {
		if scratch, err = scratch.WithAttribute(below+f.Name, f.Type, false); err != nil {
			break
		}
	}
	switch {
	case errors.Is(err, profile.ErrName):
		return fmt.Errorf("context field %.64q: %w: use letters, digits and _, with dots between nested names", field.Name, profile.ErrName)
	case err != nil:
		return fmt.Errorf("context field %.64q: %w: it would be a value and have fields", field.Name, profile.ErrExists)
	}
	return nil
}

// DeclarePlacement adds a placement; a limit of 0 means 1. One that exists with the same content changes nothing, with another it is
// profile.ErrExists.
func (s *Service) DeclarePlacement(ctx context.Context, a Actor, project string, p Placement) (Applied, error) {
	return s.putPlacement(ctx, a, project, p, false)
}

// PutPlacement adds a placement or gives one another name or limit.
func (s *Service) PutPlacement(ctx context.Context, a Actor, project string, p Placement) (Applied, error) {
	return s.putPlacement(ctx, a, project, p, true)
}

func (s *Service) putPlacement(ctx context.Context, a Actor, project string, p Placement, replace bool) (Applied, error) {
	p, err := CheckPlacement(p)
	if err != nil {
		return Applied{}, err
	}
	return s.change(ctx, a, project, func(f *frame) (*Commit, error) {
		next := slices.Clone(f.placements)
		i := slices.IndexFunc(next, func(old Placement) bool { return old.Placement == p.Placement })
		target := fmt.Sprint(p.Placement)
		switch {
		case i >= 0 && next[i] == p:
			return nil, nil
		case i >= 0 && !replace:
			return nil, fmt.Errorf("placement %d is %q with limit %d: %w", p.Placement, next[i].Name, next[i].Limit, profile.ErrExists)
		case i >= 0:
			audited := entry(a, project, "placement.put", target, next[i], p)
			next[i] = p
			return &Commit{NewVersion: true, Placements: next, Audit: audited}, nil
		case len(next) >= MaxPlacements:
			return nil, fmt.Errorf("%w: a project has at most %d placements", profile.ErrTooMany, MaxPlacements)
		}
		next = append(next, p)
		slices.SortFunc(next, func(a, b Placement) int { return int(a.Placement) - int(b.Placement) })
		return &Commit{NewVersion: true, Placements: next, Audit: entry(a, project, "placement.declare", target, nil, p)}, nil
	})
}

// CheckPlacement gives a placement without a limit the limit 1 and refuses what is not allowed with a FieldError.
func CheckPlacement(p Placement) (Placement, error) {
	if p.Limit == 0 {
		p.Limit = 1
	}
	switch {
	case p.Placement < 1:
		return p, &FieldError{"placement", "a placement is a number from 1"}
	case strings.TrimSpace(p.Name) == "" || utf8.RuneCountInString(p.Name) > MaxNameRunes || strings.ContainsFunc(p.Name, unicode.IsControl):
		return p, &FieldError{"name", fmt.Sprintf("a name is 1 to %d characters without control characters", MaxNameRunes)}
	case p.Limit < 1 || p.Limit > MaxPlacementTop:
		return p, &FieldError{"limit", fmt.Sprintf("a placement shows 1 to %d messages", MaxPlacementTop)}
	}
	return p, nil
}

// Project is the live state of a project but for its promotions.
type Project struct {
	Name       string
	Version    uint64
	Settings   Settings
	Schema     *profile.Schema
	Context    []ContextField
	Placements []Placement
}

// Project returns the project's live state at its present version. Nothing of it may be changed by the caller.
func (s *Service) Project(ctx context.Context, project string) (*Project, error) {
	f, err := s.frame(ctx, project)
	if err != nil {
		return nil, err
	}
	return &Project{Name: project, Version: f.version, Settings: f.settings, Schema: f.schema, Context: f.context, Placements: f.placements},
		nil
}

// Projects lists all project names in order.
func (s *Service) Projects(ctx context.Context) ([]string, error) { return s.repo.Projects(ctx) }
