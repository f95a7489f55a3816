package bulk

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/audience"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/strictjson"
)

// Bounds of a request for an audience job.
const (
	maxAskBytes = 16 << 10
	maxSpread   = 24 * time.Hour
	maxAhead    = 90 * 24 * time.Hour // of the instant that a job asks about
)

// ask is the body of a request for a job.
type ask struct {
	Promotion  string     `json:"promotion"`
	Channel    string     `json:"channel"`
	At         *time.Time `json:"at"`
	SpreadOver string     `json:"spreadOver"`
	CountBy    string     `json:"countBy"`
	Lines      string     `json:"lines"`
	Publish    bool       `json:"publish"`
}

// routeAudiences adds the calls about jobs.
func (s *Server) routeAudiences(mux *http.ServeMux) {
	for pattern, call := range map[string]func(http.ResponseWriter, *http.Request, string) *problem.Problem{
		"POST /v1/projects/{project}/audiences":             s.addAudience,
		"GET /v1/projects/{project}/audiences":              s.listAudiences,
		"GET /v1/projects/{project}/audiences/{id}":         s.getAudience,
		"POST /v1/projects/{project}/audiences/{id}":        s.steerAudience,
		"DELETE /v1/projects/{project}/audiences/{id}":      s.removeAudience,
		"GET /v1/projects/{project}/audiences/{id}/results": s.audienceResults,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			project, p := s.ownProject(r)
			if p == nil {
				p = call(w, r, project)
			}
			if p != nil {
				s.fault(w, r, p)
			}
		})
	}
}

// ownProject is the project of the caller's key, which must be that of the path.
func (s *Server) ownProject(r *http.Request) (string, *problem.Problem) {
	entry, p := access.ServerKey(s.deps.Keys, []byte(r.Header.Get("Api-Key")))
	switch {
	case p != nil:
		return "", p
	case entry.Project != r.PathValue("project"):
		return "", problem.New("forbidden", "audiences are made with a server key of the project")
	}
	return entry.Project, nil
}

func (s *Server) addAudience(w http.ResponseWriter, r *http.Request, project string) *problem.Problem {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAskBytes))
	if err != nil {
		return problem.New("body_too_large", "a request for an audience has at most %d bytes", maxAskBytes)
	}
	var body ask
	if err := strictjson.Unmarshal(text, &body); err != nil {
		return strictjson.Explain(err)
	}
	question, p := body.question()
	if p != nil {
		return p
	}
	job, err := s.deps.Audiences.Add(project, question)
	if err != nil {
		return s.audienceFault(err)
	}
	w.Header().Set("Location", r.URL.Path+"/"+job.ID)
	return s.answer(w, http.StatusCreated, shownOf(&job))
}

// question checks what does not depend on the project.
func (a *ask) question() (q audience.Ask, p *problem.Problem) {
	q = audience.Ask{Promotion: a.Promotion, Channel: a.Channel, CountBy: a.CountBy, AllLines: a.Lines == "all", Publish: a.Publish}
	if q.Channel == "" {
		q.Channel = "embedded"
	}
	if a.At != nil {
		if q.At = a.At.UTC(); time.Until(q.At) < -time.Minute || time.Until(q.At) > maxAhead {
			return q, problem.New("out_of_range", "users are known as they are now: ask about the present or the next 90 days").At("at")
		}
	}
	if a.SpreadOver != "" {
		spread, err := time.ParseDuration(a.SpreadOver)
		if err != nil || spread < 0 || spread > maxSpread {
			return q, problem.New("invalid_value", "want a duration of at most 24h, such as 15m").At("spreadOver")
		}
		q.SpreadOver = int64(spread / time.Second)
	}
	switch {
	case q.Promotion == "":
		return q, problem.New("missing_field", "name the promotion").At("promotion")
	case !slices.Contains(profile.Channels, q.Channel):
		return q, problem.New("invalid_value", "there is no such channel").At("channel")
	case a.Lines != "" && a.Lines != "all" && a.Lines != "eligible":
		return q, problem.New("invalid_value", "want eligible or all").At("lines")
	}
	return q, nil
}

func (s *Server) listAudiences(w http.ResponseWriter, _ *http.Request, project string) *problem.Problem {
	list := []shown{}
	for _, job := range s.deps.Audiences.List(project) {
		list = append(list, shownOf(&job))
	}
	return s.answer(w, http.StatusOK, map[string]any{"audiences": list})
}

func (s *Server) getAudience(w http.ResponseWriter, r *http.Request, project string) *problem.Problem {
	job, err := s.deps.Audiences.Get(project, r.PathValue("id"))
	if err != nil {
		return s.audienceFault(err)
	}
	return s.answer(w, http.StatusOK, shownOf(&job))
}

// steerAudience is POST …/{id}:pause, :resume and :cancel.
func (s *Server) steerAudience(w http.ResponseWriter, r *http.Request, project string) *problem.Problem {
	id, verb, _ := strings.Cut(r.PathValue("id"), ":")
	state, known := map[string]audience.State{"pause": audience.Paused, "resume": audience.Queued, "cancel": audience.Cancelled}[verb]
	if !known {
		return problem.New("not_found", "a job takes :pause, :resume and :cancel")
	}
	job, err := s.deps.Audiences.Become(project, id, state)
	if err != nil {
		return s.audienceFault(err)
	}
	return s.answer(w, http.StatusOK, shownOf(&job))
}

func (s *Server) removeAudience(w http.ResponseWriter, r *http.Request, project string) *problem.Problem {
	if err := s.deps.Audiences.Remove(project, r.PathValue("id")); errors.Is(err, audience.ErrEnded) {
		return problem.New("audience_active", "cancel it first")
	} else if err != nil {
		return s.audienceFault(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// audienceFault maps what a job's calls fail with. Causes of ours are logged and not told.
func (s *Server) audienceFault(err error) *problem.Problem {
	for _, known := range []struct {
		err                 error
		code, detail, field string
	}{
		{audience.ErrNotFound, "audience_not_found", "jobs are known to the replica that they were started on", ""},
		{audience.ErrEnded, "audience_ended", "it stays as it is", ""},
		{audience.ErrTooMany, "quota", "cancel an audience job, or wait for one to end", ""},
		{audience.ErrPromotion, "promotion_not_found", "no published promotion has this id", "promotion"},
		{audience.ErrCountBy, "invalid_value", "want an attribute of one value", "countBy"},
		{audience.ErrNoBus, "invalid_value", "this replica publishes no results", "publish"},
		{audience.ErrNoRules, "ruleset_unavailable", "the project's ruleset is not loaded here yet", ""},
	} {
		if errors.Is(err, known.err) {
			return problem.New(known.code, known.detail).At(known.field)
		}
	}
	s.deps.Logger.Error("audience job is not kept", "error", err)
	return problem.New("not_durable", "the job could not be written down")
}

func (s *Server) answer(w http.ResponseWriter, status int, body any) *problem.Problem {
	text, err := json.Marshal(body)
	if err != nil {
		s.deps.Logger.Error("answer about an audience job cannot be encoded", "error", err)
		return problem.New(problem.Internal, "")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that is gone needs no answer
	return nil
}
