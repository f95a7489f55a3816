package bulk

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"eligibility/internal/access"
	"eligibility/internal/precheck"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

const contentNDJSON = "application/x-ndjson"

// question is what a stream asks of each of its users.
type question struct {
	project   string
	promotion string
	channel   string
	skip      int64 // lines that were answered before the stream was cut
}

// precheck answers a stream of {"userId":"…"} lines with a stream of lines, in the same order.
func (s *Server) precheck(w http.ResponseWriter, r *http.Request) {
	q, p := s.question(r)
	if p != nil {
		s.fault(w, r, p)
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		s.counts.refused.Add(1)
		p = problem.New("rate_limited", "%d streams are open here: try again, or on another replica", s.cfg.Streams)
		p.RetryAfter = busyRetry + rand.IntN(busyRetry) // so that those who were refused together do not come back together
		s.fault(w, r, p)
		return
	}
	job, p := s.job(q)
	if p != nil {
		s.fault(w, r, p)
		return
	}
	raw := &patient{Reader: r.Body, control: http.NewResponseController(w), idle: s.cfg.IdleTimeout}
	defer context.AfterFunc(r.Context(), raw.end)()
	body, p := s.body(raw, r)
	if p != nil {
		s.fault(w, r, p)
		return
	}
	defer body.Close()
	s.counts.streams.Add(1)
	if err := s.stream(w, r, job, q.skip, body, raw.end); err != nil {
		s.counts.cut.Add(1)
		s.deps.Logger.Info("stream of users was cut", "project", q.project, "promotion", q.promotion, "error", err)
		// Without its summary, and with its last chunk unfinished, the answer says by itself that it was cut.
		panic(http.ErrAbortHandler)
	}
}

// busyRetry is how many seconds a sender waits at least before it tries again.
const busyRetry = 5

func (s *Server) question(r *http.Request) (q question, p *problem.Problem) {
	if r.Method != http.MethodPost {
		return q, problem.New("method_not_allowed", "use POST")
	}
	entry, p := access.ServerKey(s.deps.Keys, []byte(r.Header.Get("Api-Key")))
	if p != nil {
		return q, p
	}
	if r.Header.Get("Content-Type") != contentNDJSON {
		return q, problem.New("unsupported_media_type", "send Content-Type: %s", contentNDJSON)
	}
	q.project = entry.Project
	for name, values := range r.URL.Query() {
		var err error
		switch {
		case len(values) > 1:
			return q, problem.New("invalid_parameter", "send it once").At(name)
		case name == "promotion":
			q.promotion = values[0]
		case name == "channel":
			q.channel = values[0]
		case name == "skip":
			if q.skip, err = strconv.ParseInt(values[0], 10, 64); err != nil || q.skip < 0 {
				return q, problem.New("invalid_parameter", "want how many lines were answered already").At(name)
			}
		default:
			return q, problem.New("invalid_parameter", "this call takes promotion, channel and skip").At("query")
		}
	}
	switch {
	case q.promotion == "":
		return q, problem.New("missing_field", "name the promotion").At("promotion")
	case !slices.Contains(profile.Channels, q.channel):
		return q, problem.New("invalid_value", "name the channel").At("channel")
	}
	return q, nil
}

// job pins the ruleset in force for the whole stream.
func (s *Server) job(q question) (*precheck.Job, *problem.Problem) {
	rs := s.deps.Rulesets.Load(q.project)
	if rs == nil {
		p := problem.New("ruleset_unavailable", "the project's ruleset is not loaded here yet")
		p.RetryAfter = 1
		return nil, p
	}
	job := &precheck.Job{Ruleset: rs, Channel: q.channel, Users: s.deps.Users, Book: s.deps.Book, Clock: s.deps.Clock, Turn: s.Turn}
	promotion, found := rs.Promotion(q.promotion)
	if !found && !slices.ContainsFunc(rs.Quarantined, func(held rules.Quarantine) bool { return held.Promotion == q.promotion }) {
		return nil, problem.New("promotion_not_found", "no published promotion has this id").At("promotion")
	}
	job.Promotion = promotion
	job.Withdrawn = func() rules.Reason { return precheck.Withdrawn(s.deps.Rulesets.Load(q.project), q.promotion) }
	return job, nil
}

// stream answers. It reads on only while the client takes the answers; end lets its reading of the body return.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, job *precheck.Job, skip int64, body io.Reader, end func()) error {
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) { // HTTP/1.1 would otherwise read all before it answers
		return err
	}
	w.Header().Set("Content-Type", contentNDJSON)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if err := control.Flush(); err != nil { // the client sees that it was let in, and sends
		return err
	}
	in, err := skipped(body, skip)
	if err != nil {
		return err
	}
	var out []byte
	sum, err := precheck.Stream(r.Context(), job, in, func(line *precheck.Line) error {
		out = precheck.AppendLine(out, line)
		s.counts.users.Add(1)
		if line.Eligible {
			s.counts.eligible.Add(1)
		}
		return nil
	}, func() error {
		err := s.send(w, control, out)
		if out = out[:0]; err != nil {
			end()
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.send(w, control, precheck.AppendSummary(out, &sum))
}

func (s *Server) send(w io.Writer, control *http.ResponseController, out []byte) error {
	if err := control.SetWriteDeadline(time.Now().Add(s.cfg.SendTimeout)); err != nil {
		return err
	}
	if _, err := w.Write(out); err != nil {
		return err
	}
	return control.Flush()
}
