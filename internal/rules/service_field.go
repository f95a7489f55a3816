package rules

import (
	"context"
	"maps"
	"slices"
	"strings"

	"eligibility/internal/profile"
)

// ReservedAttributes is how many places of a schema are left to people: fields that backends create do not take them.
const ReservedAttributes = 100

// CreateFields declares the fields as attributes, all in one new version, if the project's policy is to declare new fields. What cannot be
// declared is passed over and stays what it was, an undeclared field: a name that rules cannot write, one that is declared otherwise, and
// any beyond the schema's limit less ReservedAttributes. It returns the schema in force and the names that this call declared, in order.
func (s *Service) CreateFields(ctx context.Context, a Actor, project string, fields map[string]profile.Type) (
	*profile.Schema, []string, error,
) {
	var schema *profile.Schema
	var created []string
	_, err := s.change(ctx, a, project, func(f *frame) (*Commit, error) {
		schema, created = f.schema, nil
		if f.settings.NewFields != DeclareNewFields {
			return nil, nil
		}
		schema, created = WithFields(f.schema, fields)
		if len(created) == 0 {
			return nil, nil
		}
		target := strings.Join(created[:min(len(created), auditedFields)], ",")
		return &Commit{NewVersion: true, Schema: schema, Audit: entry(a, project, "attribute.create", target, nil, created)}, nil
	})
	if err != nil {
		return nil, nil, err
	}
	return schema, created, nil
}

// auditedFields is how many of the created fields an audit entry names; its digest is of all.
const auditedFields = 8

// WithFields returns the schema with those of the fields that can be declared, and their names in order.
func WithFields(schema *profile.Schema, fields map[string]profile.Type) (*profile.Schema, []string) {
	var created []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if len(schema.Attributes) >= profile.MaxAttributes-ReservedAttributes {
			break
		}
		next, err := schema.WithAttribute(name, fields[name], false)
		if err == nil && next != schema {
			schema, created = next, append(created, name)
		}
	}
	return schema, created
}
