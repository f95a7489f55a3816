package ruletest

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"eligibility/internal/engine"
	"eligibility/internal/profile"
	"eligibility/internal/rulefile"
	"eligibility/internal/rules"
)

// channelEmbedded is what `channel` is in rules when an app asks.
const channelEmbedded = "embedded"

// Outcomes that a test may expect beside reason codes.
const (
	eligible    = string(rules.ReasonEligible)
	notEligible = "not_eligible" // for whatever reason
)

// Case is one expectation and what became of it.
type Case struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // of the expectation
	Column int    `json:"column"`
	Test   string `json:"test"`
	Name   string `json:"name"` // "fathers-day of ada", "ada in 101"
	Want   string `json:"want"`
	Got    string `json:"got"`
	Detail string `json:"detail,omitempty"` // the sub-expression that decided
	Failed bool   `json:"failed"`
}

// Report is the result of a run. With faults there are no cases of the files that they stand in.
type Report struct {
	Faults   []rulefile.Fault `json:"faults"`
	Cases    []Case           `json:"cases"`
	Failed   int              `json:"failed"`
	Untested []string         `json:"untested"` // promotions that no test expects anything of
}

// OK reports whether everything is as expected.
func (r *Report) OK() bool { return r.Failed == 0 && !rulefile.Failed(r.Faults) }

// Run runs the tests of the folder whose names match only, nil for all. The promotions must check: one that does not compile is an error.
func Run(folder *rulefile.Folder, only *regexp.Regexp) (*Report, error) {
	rs, err := rules.NewCompiler(profile.DefaultRetention).Compile(folder.Project.Spec(folder.Promotions), nil)
	if err != nil {
		return nil, err
	}
	if len(rs.Quarantined) > 0 {
		return nil, fmt.Errorf("promotion %s does not check", rs.Quarantined[0].Promotion)
	}
	report := &Report{Faults: []rulefile.Fault{}, Cases: []Case{}, Untested: []string{}}
	tested := make(map[string]bool)
	for _, suite := range folder.Suites {
		r := &runner{rs: rs, folder: folder, suite: suite, only: only, tested: tested}
		r.run()
		if report.Faults = append(report.Faults, r.faults...); len(r.faults) == 0 {
			report.Cases = append(report.Cases, r.cases...)
		}
	}
	for _, c := range report.Cases {
		if c.Failed {
			report.Failed++
		}
	}
	for _, id := range folder.IDs() {
		if !tested[id] {
			report.Untested = append(report.Untested, id)
		}
	}
	rulefile.Sort(report.Faults)
	return report, nil
}

// runner runs one suite.
type runner struct {
	rs     *rules.Ruleset
	folder *rulefile.Folder
	suite  *rulefile.Suite
	only   *regexp.Regexp
	tested map[string]bool // by promotion
	cases  []Case
	faults []rulefile.Fault

	test  *rulefile.Test // the present one
	index int
	now   time.Time
	req   engine.Request
}

func (r *runner) run() {
	r.checkUsers()
	for i := range r.suite.Tests {
		r.test, r.index = &r.suite.Tests[i], i
		if !r.prepare() {
			continue
		}
		for _, promotion := range slices.Sorted(maps.Keys(r.test.Expect)) {
			r.expect(promotion)
		}
		for _, user := range slices.Sorted(maps.Keys(r.test.Shown)) {
			r.shown(user)
		}
	}
}

// prepare makes the request of the present test; false when it is not to be run.
func (r *runner) prepare() bool {
	at := []string{"tests", strconv.Itoa(r.index)}
	r.now = *r.suite.Now
	if r.test.Now != nil {
		r.now = *r.test.Now
	}
	if r.now.Before(profile.MinTime) || !r.now.Before(profile.MaxTime) {
		r.faults = append(r.faults, r.suite.Wrong(append(at, "now"), "a time lies between the years %d and %d", profile.MinTime.Year(), profile.MaxTime.Year()))
		return false
	}
	r.req = engine.Request{Now: r.now.UnixNano(), Channel: channelEmbedded, Explain: true}
	given, from := r.test.Context, append(at, "context")
	if given == nil {
		given, from = r.suite.Context, []string{"context"}
	}
	r.req.Context = r.context(given, from)
	for _, channel := range []struct {
		name  string
		steps []string
	}{{r.suite.Channel, []string{"channel"}}, {r.test.Channel, append(at, "channel")}} {
		if channel.name == "" {
			continue
		}
		if !slices.Contains(profile.Channels, channel.name) {
			r.unknown(channel.steps, "channel", channel.name, profile.Channels)
			return false
		}
		r.req.Channel = channel.name
	}
	return r.only == nil || r.only.MatchString(r.test.Name)
}

func (r *runner) steps(more ...string) []string {
	return append([]string{"tests", strconv.Itoa(r.index)}, more...)
}

func (r *runner) unknown(steps []string, what, name string, known []string) {
	r.faults = append(r.faults, r.suite.Unknown(steps, what, name, known))
}

// expect holds one row of the matrix: a promotion and its users.
func (r *runner) expect(id string) {
	compiled, known := r.rs.Promotion(id)
	if !known {
		r.unknown(r.steps("expect", id), "promotion", id, r.folder.IDs())
		return
	}
	r.tested[id] = true
	row := r.test.Expect[id]
	for _, user := range slices.Sorted(maps.Keys(row)) {
		steps := r.steps("expect", id, user)
		snap, known := r.snapshot(user)
		if !known {
			r.unknown(steps, "user", user, slices.Sorted(maps.Keys(r.suite.Users)))
			continue
		}
		want := row[user]
		if !slices.Contains(outcomes(), want) {
			fault := r.suite.Fault(steps, "unknown_name", "%q is neither %s nor %s nor a reason", want, eligible, notEligible)
			if near, ok := rules.Nearest(want, outcomes()); ok {
				fault.Suggestion = "did you mean " + near + "?"
			}
			r.faults = append(r.faults, fault)
			continue
		}
		outcome := engine.Check(r.rs, snap, &r.req, compiled)
		got := string(outcome.Reason)
		r.note(steps, id+" of "+user, want, got, outcome.Detail, got == want || want == notEligible && !outcome.Eligible)
	}
}

// outcomes are what a test may expect of one promotion alone.
func outcomes() []string {
	out := []string{eligible, notEligible}
	for _, reason := range rules.Reasons() {
		if reason != rules.ReasonOutranked && reason != rules.ReasonQuarantined {
			out = append(out, string(reason))
		}
	}
	return out
}

// shown holds what one user is shown in the placements that the test names.
func (r *runner) shown(user string) {
	snap, known := r.snapshot(user)
	if !known {
		r.unknown(r.steps("shown", user), "user", user, slices.Sorted(maps.Keys(r.suite.Users)))
		return
	}
	for _, placement := range slices.Sorted(maps.Keys(r.test.Shown[user])) {
		number := strconv.Itoa(int(placement))
		if _, declared := r.rs.Placement(placement); !declared {
			r.unknown(r.steps("shown", user, number), "placement", number, nil)
			continue
		}
		wanted := r.test.Shown[user][placement]
		for i, id := range wanted {
			if _, known := r.rs.Promotion(id); !known {
				r.unknown(r.steps("shown", user, number, strconv.Itoa(i)), "promotion", id, r.folder.IDs())
			}
			r.tested[id] = true
		}
		req := r.req
		req.Placements = []int32{placement}
		var d engine.Decision
		engine.Decide(r.rs, snap, &req, &d)
		var got []string
		for _, message := range d.Placements[0].Messages {
			got = append(got, message.Promotion.ID)
		}
		r.note(r.steps("shown", user, number), user+" in "+number, list(wanted), list(got), withheld(&d, wanted), slices.Equal(wanted, got))
	}
}

// withheld says why promotions that were wanted are not shown.
func withheld(d *engine.Decision, wanted []string) string {
	var out []string
	for _, rejection := range d.Rejected {
		if slices.Contains(wanted, rejection.Promotion) {
			text := rejection.Promotion + ": " + string(rejection.Reason)
			if rejection.Detail != "" {
				text += ", " + rejection.Detail
			}
			out = append(out, text)
		}
	}
	return strings.Join(out, "; ")
}

func list(ids []string) string {
	if len(ids) == 0 {
		return "nothing"
	}
	return strings.Join(ids, ", ")
}

func (r *runner) note(steps []string, name, want, got, detail string, ok bool) {
	line, column := r.suite.Place(steps...)
	c := Case{File: r.suite.File.Path, Line: line, Column: column, Test: r.test.Name, Name: name, Want: want, Got: got, Failed: !ok}
	if !ok {
		c.Detail = detail
	}
	r.cases = append(r.cases, c)
}
