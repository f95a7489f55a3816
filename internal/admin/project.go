package admin

import (
	"errors"
	"net/http"

	"eligibility/internal/problem"
	"eligibility/internal/rules"
)

// projectView is a project as it is answered.
type projectView struct {
	Project string `json:"project"`
	rules.Settings
	Version uint64 `json:"rulesVersion"`
}

func (s *Server) listProjects(c *call, _ []byte) (answer, error) {
	names, err := s.deps.Authoring.Projects(c.Context())
	if err != nil {
		return answer{}, err
	}
	type item struct {
		Project string `json:"project"`
	}
	items := make([]item, len(names))
	for i, name := range names {
		items[i].Project = name
	}
	return all(items)
}

func (s *Server) createProject(c *call, body []byte) (answer, error) {
	var in struct {
		Project string `json:"project"`
	}
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	if in.Project == "" {
		return answer{}, problem.New("missing_field", "name the project").At("project")
	}
	applied, err := s.deps.Authoring.CreateProject(c.Context(), c.actor(), in.Project)
	if errors.Is(err, rules.ErrExists) { // a project is created by its name alone, so it is the same one
		c.project = in.Project
		return s.getProject(c, nil)
	}
	if err != nil {
		return answer{}, err
	}
	s.changed(in.Project, applied)
	return answer{status: http.StatusCreated, body: projectView{
		Project: in.Project, Settings: rules.DefaultSettings(),
		Version: applied.Version,
	}}, nil
}

func (s *Server) getProject(c *call, _ []byte) (answer, error) {
	p, err := s.deps.Authoring.Project(c.Context(), c.project)
	if err != nil {
		return answer{}, err
	}
	settings := p.Settings
	settings.Proving = nil // has calls of its own
	return ok(projectView{Project: p.Name, Settings: settings, Version: p.Version})
}

func (s *Server) putProject(c *call, body []byte) (answer, error) {
	var in rules.Settings
	if err := c.decode(body, &in); err != nil {
		return answer{}, err
	}
	settings, err := rules.CheckSettings(in)
	if err != nil {
		return answer{}, err
	}
	applied, err := s.deps.Authoring.PutSettings(c.Context(), c.actor(), c.project, settings)
	if err != nil {
		return answer{}, err
	}
	s.changed(c.project, applied)
	return ok(projectView{Project: c.project, Settings: settings, Version: applied.Version})
}

// changed passes on that this replica committed a new ruleset version, so that it need not wait for its own feed.
func (s *Server) changed(project string, applied rules.Applied) {
	if applied.Changed && s.deps.Changed != nil {
		s.deps.Changed(project, applied.At)
	}
}

// declared answers a declaration: 201 when it is new, 200 when it was there.
func (s *Server) declared(c *call, applied rules.Applied, err error, body any) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	s.changed(c.project, applied)
	status := http.StatusOK
	if applied.Changed {
		status = http.StatusCreated
	}
	return answer{status: status, body: body}, nil
}
