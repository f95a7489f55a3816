package admin

import (
	"strconv"

	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// attributeView is an attribute as it is declared and answered; slots are an inner matter.
type attributeView struct {
	Name       string       `json:"name"`
	Type       profile.Type `json:"type"`
	ServerOnly bool         `json:"serverOnly,omitempty"`
	Builtin    bool         `json:"builtin,omitempty"`
}

func (s *Server) listAttributes(c *call, _ []byte) (answer, error) {
	p, err := s.deps.Authoring.Project(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	items := make([]attributeView, 0, len(p.Schema.Attributes))
	for _, a := range p.Schema.Attributes {
		items = append(items, attributeView{Name: a.Name, Type: a.Type, ServerOnly: a.ServerOnly, Builtin: a.Builtin})
	}
	return all(items)
}

func (s *Server) declareAttribute(c *call, body []byte) (answer, error) {
	var in struct {
		Name       string       `json:"name"`
		Type       profile.Type `json:"type"`
		ServerOnly bool         `json:"serverOnly"`
	}
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	if in.Type == (profile.Type{}) {
		return answer{}, problem.New("missing_field", "say of which type it is").At("type")
	}
	applied, err := s.deps.Authoring.DeclareAttribute(c.Context(), c.actor(), c.project, in.Name, in.Type, in.ServerOnly)
	return s.declared(c, applied, err, attributeView{Name: in.Name, Type: in.Type, ServerOnly: in.ServerOnly})
}

// eventTypeView is an event type as it is declared and answered.
type eventTypeView struct {
	Name       string                  `json:"name"`
	Properties map[string]profile.Type `json:"properties"`
	Reserved   bool                    `json:"reserved,omitempty"`
}

func viewEventType(e *profile.EventType) eventTypeView {
	view := eventTypeView{Name: e.Name, Properties: make(map[string]profile.Type, len(e.Properties)), Reserved: e.Reserved}
	for _, p := range e.Properties {
		view.Properties[p.Name] = p.Type
	}
	return view
}

func (s *Server) listEventTypes(c *call, _ []byte) (answer, error) {
	p, err := s.deps.Authoring.Project(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	items := make([]eventTypeView, 0, len(p.Schema.EventTypes))
	for i := range p.Schema.EventTypes {
		items = append(items, viewEventType(&p.Schema.EventTypes[i]))
	}
	return all(items)
}

// declareEventType adds an event type or properties to one; it answers all that the type has now.
func (s *Server) declareEventType(c *call, body []byte) (answer, error) {
	var in struct {
		Name       string                  `json:"name"`
		Properties map[string]profile.Type `json:"properties"`
	}
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	applied, err := s.deps.Authoring.DeclareEventType(c.Context(), c.actor(), c.project, in.Name, in.Properties)
	if err != nil {
		return answer{}, err
	}
	p, err := s.deps.Authoring.Project(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	view := eventTypeView{Name: in.Name, Properties: in.Properties}
	if e, known := p.Schema.EventType(in.Name); known {
		view = viewEventType(e)
	}
	return s.declared(c, applied, nil, view)
}

func (s *Server) listContext(c *call, _ []byte) (answer, error) {
	p, err := s.deps.Authoring.Project(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	return all(p.Context)
}

func (s *Server) declareContext(c *call, body []byte) (answer, error) {
	var in rules.ContextField
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	if in.Type == (profile.Type{}) {
		return answer{}, problem.New("missing_field", "say of which type it is").At("type")
	}
	applied, err := s.deps.Authoring.DeclareContext(c.Context(), c.actor(), c.project, in)
	return s.declared(c, applied, err, in)
}

func (s *Server) listPlacements(c *call, _ []byte) (answer, error) {
	p, err := s.deps.Authoring.Project(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	return all(p.Placements)
}

func (s *Server) declarePlacement(c *call, body []byte) (answer, error) {
	var in rules.Placement
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	applied, err := s.deps.Authoring.DeclarePlacement(c.Context(), c.actor(), c.project, in)
	in.Limit = max(in.Limit, 1) // what was accepted without a limit has 1
	return s.declared(c, applied, err, in)
}

// putPlacement gives a placement another name or limit.
func (s *Server) putPlacement(c *call, body []byte) (answer, error) {
	number, err := strconv.ParseInt(c.PathValue("placement"), 10, 32)
	if err != nil {
		return answer{}, problem.New("not_found", "a placement is a number")
	}
	var in rules.Placement
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	if in.Placement != 0 && in.Placement != int32(number) {
		return answer{}, problem.New("invalid_value", "the body names another placement than the path").At("placement")
	}
	in.Placement = int32(number)
	applied, err := s.deps.Authoring.PutPlacement(c.Context(), c.actor(), c.project, in)
	if err != nil {
		return answer{}, err
	}
	s.changed(c.project, applied)
	in.Limit = max(in.Limit, 1)
	return ok(in)
}

func (s *Server) listObserved(c *call, _ []byte) (answer, error) {
	seen, err := s.deps.Observer.Observations(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	return all(seen)
}
