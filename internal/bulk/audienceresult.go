package bulk

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"time"

	"eligibility/internal/audience"
	"eligibility/internal/problem"
)

// topValues is how many values of an attribute are shown; the rest is summed up.
const topValues = 50

// shown is a job as callers see it.
type shown struct {
	ID        string         `json:"id"`
	Promotion string         `json:"promotion"`
	Channel   string         `json:"channel"`
	At        time.Time      `json:"at"`
	State     audience.State `json:"state"`
	Why       string         `json:"why,omitzero"`
	Created   time.Time      `json:"created"`
	Begins    time.Time      `json:"begins"`
	Ended     *time.Time     `json:"ended,omitzero"`

	Users     int64            `json:"users"`
	Eligible  int64            `json:"eligible"`
	Expected  int64            `json:"expected,omitzero"`
	Ranges    shownRanges      `json:"ranges"`
	PerSecond float64          `json:"perSecond"`
	SecsLeft  *int64           `json:"secondsLeft,omitzero"`
	Reasons   map[string]int64 `json:"reasons"`
	CountBy   *shownValues     `json:"countBy,omitzero"`

	RulesVersions []uint64 `json:"rulesVersions"`
	OldestAsOf    string   `json:"oldestAsOf,omitzero"`
	NewestAsOf    string   `json:"newestAsOf,omitzero"`
	Lines         string   `json:"lines"`
	ResultBytes   int64    `json:"resultBytes"`

	Published *shownPlace `json:"published,omitzero"`
}

// shownPlace is how far the results are on the bus.
type shownPlace struct {
	Subject  string `json:"subject"`
	Messages int64  `json:"messages"`
	Bytes    int64  `json:"bytes"`
	Whole    bool   `json:"whole"` // the summary is there
}

// shownRanges is how many parts the users are split into, and how many of them are whole.
type shownRanges struct {
	Total int `json:"total"`
	Done  int `json:"done"`
}

type shownValues struct {
	Attribute string         `json:"attribute"`
	Values    []shownValue   `json:"values"` // the most users first
	Others    audience.Count `json:"others"`
	Without   audience.Count `json:"without"`
}

type shownValue struct {
	Value string `json:"value"`
	audience.Count
}

func shownOf(j *audience.Job) shown {
	s := shown{
		ID: j.ID, Promotion: j.Ask.Promotion, Channel: j.Ask.Channel, At: j.Ask.At, State: j.State, Why: j.Why, Created: j.Created, Begins: j.Begins,
		Users: j.Users, Eligible: j.Eligible, Expected: j.Expected, Reasons: make(map[string]int64, len(j.Reasons)), RulesVersions: j.RulesVersions,
		OldestAsOf: j.OldestAsOf, NewestAsOf: j.NewestAsOf, Lines: "eligible", ResultBytes: j.Bytes, Ranges: shownRanges{Total: len(j.Ranges), Done: j.RangesDone()},
	}
	if j.Ask.AllLines {
		s.Lines = "all"
	}
	if s.RulesVersions == nil {
		s.RulesVersions = []uint64{}
	}
	if !j.Ended.IsZero() {
		s.Ended = &j.Ended
	}
	if worked := j.Worked.Seconds(); worked > 0 {
		s.PerSecond = float64(j.Users) / worked
	}
	if j.State == audience.Running && s.PerSecond > 0 && j.Expected > j.Users {
		left := int64(float64(j.Expected-j.Users) / s.PerSecond)
		s.SecsLeft = &left
	}
	for reason, n := range j.Reasons {
		s.Reasons[string(reason)] = n
	}
	if j.Ask.Publish {
		s.Published = &shownPlace{j.Subject, j.Published.Number, j.Published.Bytes, j.Published.Whole}
	}
	if j.Ask.CountBy != "" {
		s.CountBy = valuesOf(j)
	}
	return s
}

func valuesOf(j *audience.Job) *shownValues {
	v := &shownValues{Attribute: j.Ask.CountBy, Values: []shownValue{}, Others: j.Others, Without: j.Without}
	for value, count := range j.Values {
		v.Values = append(v.Values, shownValue{value, count})
	}
	slices.SortFunc(v.Values, func(a, b shownValue) int { return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(a.Value, b.Value)) })
	for len(v.Values) > topValues {
		last := v.Values[len(v.Values)-1]
		v.Others.Users, v.Others.Eligible = v.Others.Users+last.Users, v.Others.Eligible+last.Eligible
		v.Values = v.Values[:len(v.Values)-1]
	}
	return v
}

// audienceResults sends what is durable of the results: whole lines, which stay where they are, so that a client that was cut goes on with a Range.
func (s *Server) audienceResults(w http.ResponseWriter, r *http.Request, project string) *problem.Problem {
	format := r.URL.Query().Get("format")
	if format != "" && format != "ndjson" && format != "csv" {
		return problem.New("invalid_parameter", "want ndjson or csv").At("format")
	}
	job, lines, file, err := s.deps.Audiences.Results(project, r.PathValue("id"))
	if err != nil {
		return s.audienceFault(err)
	}
	defer file.Close()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Audience-State", string(job.State))
	out := &steady{ResponseWriter: w, control: http.NewResponseController(w), timeout: s.cfg.SendTimeout}
	if format == "csv" {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		if err := writeCSV(out, lines); err != nil {
			panic(http.ErrAbortHandler) // the client sees that it was cut
		}
		return nil
	}
	w.Header().Set("Content-Type", contentNDJSON)
	w.Header().Set("ETag", `"`+job.ID+`"`) // what is there never changes: the results only grow
	http.ServeContent(out, r, "", time.Time{}, lines)
	return nil
}

// steady gives a client its time for each write: a download as a whole has none.
type steady struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (s *steady) Write(b []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	return s.ResponseWriter.Write(b)
}

func writeCSV(to io.Writer, lines io.Reader) error {
	out := csv.NewWriter(to)
	if err := out.Write([]string{"userId", "eligible", "reason", "retryAt"}); err != nil {
		return err
	}
	in := bufio.NewScanner(lines)
	for in.Scan() {
		var line struct {
			UserID   string `json:"userId"`
			Eligible bool   `json:"eligible"`
			Reason   string `json:"reason"`
			RetryAt  string `json:"retryAt"`
		}
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			return err
		}
		eligible := "false"
		if line.Eligible {
			eligible = "true"
		}
		if err := out.Write([]string{guarded(line.UserID), eligible, line.Reason, line.RetryAt}); err != nil {
			return err
		}
	}
	out.Flush()
	return cmp.Or(in.Err(), out.Error())
}

// guarded keeps spreadsheets from taking an id, which apps choose, for a formula.
func guarded(id string) string {
	if id != "" && (id[0] == '=' || id[0] == '+' || id[0] == '-' || id[0] == '@') {
		return "'" + id
	}
	return id
}
