package rulefile

import (
	"errors"
	"strconv"

	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"go.yaml.in/yaml/v3"
)

// ProjectFile is the name of the file with a project's declarations, at the top of the folder.
const ProjectFile = "project.yaml"

// Project is what a folder says about its project: enough to check and test promotions without a server. The declarations have the form that the API
// takes them in.
type Project struct {
	// Project is its name. It decides which users fall into which bucket.
	Project    string            `json:"project"`
	Attributes []Attribute       `json:"attributes,omitempty"`
	EventTypes []EventType       `json:"eventTypes,omitempty"`
	Context    []Field           `json:"context,omitempty"` // beside platform, appVersion and locale, which every project has
	Placements []rules.Placement `json:"placements,omitempty"`
	Settings   *rules.Settings   `json:"settings,omitempty"`

	declared declared
}

// Attribute is one typed field of a user's profile.
type Attribute struct {
	Name       string       `json:"name"` // dotted for nested fields: address.city
	Type       profile.Type `json:"type"`
	ServerOnly bool         `json:"serverOnly,omitempty"` // writes with a client key are refused
}

// EventType is a kind of user event with its typed properties.
type EventType struct {
	Name       string                  `json:"name"`
	Properties map[string]profile.Type `json:"properties,omitempty"`
}

// Field is one typed field of a request's context.
type Field struct {
	Name string       `json:"name"`
	Type profile.Type `json:"type"` // one value, no list or map
}

// declared is what the declarations amount to.
type declared struct {
	schema     *profile.Schema
	context    []rules.ContextField
	placements []rules.Placement
	settings   rules.Settings
}

// Spec is the project with these promotions in force, as a ruleset is compiled from it.
func (p *Project) Spec(promotions []Promotion) *rules.Spec {
	spec := &rules.Spec{
		Project: p.Project, Version: 1, Settings: p.declared.settings, Schema: p.declared.schema, Context: p.declared.context,
		Placements: p.declared.placements,
	}
	live := make([]rules.LivePromotion, len(promotions))
	for i := range promotions {
		live[i] = rules.LivePromotion{Promotion: &promotions[i].Promotion, Revision: 1}
	}
	spec.Promotions = rules.NewRoll(live...)
	return spec
}

// Check says everything about a promotion of the folder, in the places of its file.
func (p *Project) Check(promotion *Promotion) []Fault {
	found := rules.Check(p.declared.schema, p.declared.context, p.declared.placements, p.declared.settings, &promotion.Promotion)
	faults := make([]Fault, 0, len(found))
	for _, issue := range found {
		faults = append(faults, promotion.Fault(issue))
	}
	return faults
}

// Schema is the project's profile schema.
func (p *Project) Schema() *profile.Schema { return p.declared.schema }

// declare adds up the declarations as a server would, one after the other.
func (p *Project) declare(file *File, root *yaml.Node) []Fault {
	var faults []Fault
	refuse := func(err error, steps ...string) {
		var field *rules.FieldError
		text := err.Error()
		if errors.As(err, &field) {
			steps, text = append(steps, stepsOf(field.Field)...), field.Message
		}
		faults = append(faults, file.Fault(root, steps, codeDeclared, "%s", text))
	}
	d := declared{schema: profile.NewSchema(), context: rules.DefaultContext(), settings: rules.DefaultSettings(), placements: []rules.Placement{}}
	switch {
	case p.Project == "":
		faults = append(faults, file.fault(root, codeMissing, "say which project this is, such as project: shop"))
	case !profile.ValidProject(p.Project):
		refuse(profile.ErrProject, "project")
	}
	for i, a := range p.Attributes {
		if next, err := d.schema.WithAttribute(a.Name, a.Type, a.ServerOnly); err != nil {
			refuse(err, "attributes", strconv.Itoa(i), "name")
		} else if a.Type == (profile.Type{}) {
			faults = append(faults, file.Fault(root, []string{"attributes", strconv.Itoa(i)}, codeMissing, "say of which type it is"))
		} else {
			d.schema = next
		}
	}
	for i, e := range p.EventTypes {
		if next, err := d.schema.WithEventType(e.Name, e.Properties); err != nil {
			refuse(err, "eventTypes", strconv.Itoa(i), "name")
		} else {
			d.schema = next
		}
	}
	for i, f := range p.Context {
		if next, err := rules.WithContext(d.context, rules.ContextField(f)); err != nil {
			refuse(err, "context", strconv.Itoa(i), "name")
		} else {
			d.context = next
		}
	}
	seen := make(map[int32]bool)
	for i, place := range p.Placements {
		checked, err := rules.CheckPlacement(place)
		switch {
		case err != nil:
			refuse(err, "placements", strconv.Itoa(i))
		case seen[place.Placement]:
			faults = append(faults, file.Fault(root, []string{"placements", strconv.Itoa(i), "placement"}, codeTwice,
				"placement %d is declared twice", place.Placement))
		default:
			d.placements = append(d.placements, checked)
		}
		seen[place.Placement] = true
	}
	if p.Settings != nil {
		settings, err := rules.CheckSettings(*p.Settings)
		if err != nil {
			refuse(err, "settings")
		} else if schema, err := rules.SendSchema(d.schema, &settings); err != nil {
			refuse(err, "settings")
		} else {
			d.settings, d.schema = settings, schema
		}
	}
	p.declared = d
	return faults
}
