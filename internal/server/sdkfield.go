package server

import (
	"encoding/json"
	"errors"

	"eligibility/internal/access"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// createFields declares what data fields hold that nobody has declared, if a backend asks for it and the project's policy is to do so. It
// returns the schema that the fields are then held against, and the names that are new in it.
//
// A key that is in an app creates nothing: anybody who has it could give a name a type that the backend's own writes then do not have.
func (s *Server) createFields(st *state, rs *rules.Ruleset, asked bool, items ...map[string]json.RawMessage) (
	*profile.Schema, []string, *problem.Problem,
) {
	if !asked || st.caller.entry.Kind != access.Server || rs.Settings.NewFields != rules.DeclareNewFields || s.deps.Fields == nil {
		return rs.Schema, nil, nil
	}
	fields := s.undeclared(st, rs.Schema, items)
	if _, possible := rules.WithFields(rs.Schema, fields); len(possible) == 0 {
		return rs.Schema, nil, nil
	}
	ctx, cancel := s.bounded()
	defer cancel()
	actor := rules.Actor{ID: st.caller.entry.ID, RequestID: string(st.requestID), RemoteAddr: st.caller.address.String()}
	schema, created, err := s.deps.Fields.CreateFields(ctx, actor, st.caller.project(), fields)
	switch {
	case errors.Is(err, rules.ErrConflict): // others keep changing the project: the next write asks again
		return rs.Schema, nil, nil
	case err != nil:
		return nil, nil, s.explain(err)
	}
	return schema, created, nil
}

// undeclared finds the types of fields that the schema does not know. What an item is at fault for is told when it is written.
func (s *Server) undeclared(st *state, schema *profile.Schema, items []map[string]json.RawMessage) map[string]profile.Type {
	check := checker{schema: schema}
	for _, item := range items {
		_, _ = s.fields(st, &check, item)
	}
	st.params = nil
	found := make(map[string]profile.Type)
	ambiguous := make(map[string]bool)
	for _, o := range check.observed {
		typ, err := profile.ParseType(o.Type)
		if o.What != "attribute" || err != nil { // a list of nothing, of several types or of objects has no type
			continue
		}
		before, again := found[o.Name]
		switch joined, ok := widened(before, typ); {
		case !again:
			found[o.Name] = typ
		case ok:
			found[o.Name] = joined
		default:
			ambiguous[o.Name] = true
		}
	}
	for name := range ambiguous {
		delete(found, name)
	}
	return found
}

// widened is the type of numbers of which some are whole, in equal shapes.
func widened(a, b profile.Type) (profile.Type, bool) {
	number := func(k profile.Kind) bool { return k == profile.Int || k == profile.Double }
	if a.Shape != b.Shape || !number(a.Kind) || !number(b.Kind) {
		return a, a == b
	}
	if a.Kind != b.Kind {
		a.Kind = profile.Double
	}
	return a, true
}
