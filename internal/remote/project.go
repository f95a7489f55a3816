package remote

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"eligibility/internal/profile"
	"eligibility/internal/rulefile"
	"eligibility/internal/rules"
)

// list is a list as it is answered.
type list[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor"`
}

// Declarations reads what the project declares, in the form of a project file: without what every project has.
func (c *Client) Declarations(ctx context.Context) (*rulefile.Project, error) {
	p := &rulefile.Project{Project: c.cfg.Project, Settings: &rules.Settings{}}
	if _, err := c.do(ctx, call{method: http.MethodGet, into: p.Settings}); err != nil {
		return nil, err
	}
	var attributes list[struct {
		rulefile.Attribute
		Builtin bool `json:"builtin"`
	}]
	if _, err := c.do(ctx, call{method: http.MethodGet, path: "/attributes", into: &attributes}); err != nil {
		return nil, err
	}
	for _, a := range attributes.Items {
		if !a.Builtin {
			p.Attributes = append(p.Attributes, a.Attribute)
		}
	}
	var types list[struct {
		rulefile.EventType
		Reserved bool `json:"reserved"`
	}]
	if _, err := c.do(ctx, call{method: http.MethodGet, path: "/event-types", into: &types}); err != nil {
		return nil, err
	}
	for _, e := range types.Items {
		if !e.Reserved {
			p.EventTypes = append(p.EventTypes, e.EventType)
		}
	}
	var context list[rules.ContextField]
	if _, err := c.do(ctx, call{method: http.MethodGet, path: "/context", into: &context}); err != nil {
		return nil, err
	}
	for _, f := range context.Items {
		if !slices.Contains(rules.DefaultContext(), f) {
			p.Context = append(p.Context, rulefile.Field(f))
		}
	}
	var placements list[rules.Placement]
	if _, err := c.do(ctx, call{method: http.MethodGet, path: "/placements", into: &placements}); err != nil {
		return nil, err
	}
	p.Placements = placements.Items
	return p, nil
}

// Declaration is something that the folder declares and the server does not, or not so.
type Declaration struct {
	What string `json:"what"` // "attribute", "event type", "context field", "placement", "settings"
	Name string `json:"name,omitempty"`
	// New is false for a change of what is there. Only placements and settings can change; of the rest the server refuses it.
	New bool `json:"new"`

	call call
}

// String is what is declared, and its name.
func (d *Declaration) String() string { return strings.TrimSpace(d.What + " " + d.Name) }

// undeclared lists what has to be declared for the server to be as the folder says. What only the server declares stays: declarations are never taken back.
func undeclared(here, there *rulefile.Project) []Declaration {
	out := []Declaration{}
	for _, a := range here.Attributes {
		i := slices.IndexFunc(there.Attributes, func(b rulefile.Attribute) bool { return b.Name == a.Name })
		if i < 0 || there.Attributes[i] != a {
			out = append(out, Declaration{"attribute", a.Name, i < 0, call{method: http.MethodPost, path: "/attributes", body: a}})
		}
	}
	for _, e := range here.EventTypes {
		i := slices.IndexFunc(there.EventTypes, func(b rulefile.EventType) bool { return b.Name == e.Name })
		if i < 0 || !covers(there.EventTypes[i].Properties, e.Properties) {
			out = append(out, Declaration{"event type", e.Name, i < 0, call{method: http.MethodPost, path: "/event-types", body: e}})
		}
	}
	for _, f := range here.Context {
		i := slices.IndexFunc(there.Context, func(b rulefile.Field) bool { return b.Name == f.Name })
		if slices.Contains(rules.DefaultContext(), rules.ContextField(f)) || i >= 0 && there.Context[i] == f {
			continue
		}
		out = append(out, Declaration{"context field", f.Name, i < 0, call{method: http.MethodPost, path: "/context", body: f}})
	}
	for _, p := range here.Placements {
		p.Limit = max(p.Limit, 1)
		number := strconv.Itoa(int(p.Placement))
		i := slices.IndexFunc(there.Placements, func(b rules.Placement) bool { return b.Placement == p.Placement })
		if i < 0 || there.Placements[i] != p {
			out = append(out, Declaration{"placement", number, i < 0, call{method: http.MethodPut, path: "/placements/" + number, body: p}})
		}
	}
	return append(out, settings(here, there)...)
}

// covers reports whether the properties that are there have all that are wanted.
func covers(there, wanted map[string]profile.Type) bool {
	for name := range maps.Keys(wanted) {
		if there[name] != wanted[name] {
			return false
		}
	}
	return true
}

func settings(here, there *rulefile.Project) []Declaration {
	if here.Settings == nil {
		return nil
	}
	// The folder was loaded, so its settings are allowed; checking fills in what it leaves out, and what was stored before there was such a
	// setting.
	wanted, err := rules.CheckSettings(*here.Settings)
	if err == nil && there.Settings != nil {
		if actual, err := rules.CheckSettings(*there.Settings); err == nil && sameSettings(wanted, actual) {
			return nil
		}
	}
	return []Declaration{{"settings", "", false, call{method: http.MethodPut, body: wanted}}}
}

func sameSettings(a, b rules.Settings) bool {
	schemes := slices.Equal(a.URLSchemes, b.URLSchemes)
	a.URLSchemes, b.URLSchemes = nil, nil
	return schemes && equalJSON(a, b)
}
