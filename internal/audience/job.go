package audience

import (
	"maps"
	"slices"
	"time"

	"eligibility/internal/hlc"
	"eligibility/internal/rules"
)

// State is where a job stands.
type State string

// The states. Done, Cancelled and Failed are final.
const (
	Queued    State = "queued"
	Running   State = "running"
	Paused    State = "paused"
	Done      State = "done"
	Cancelled State = "cancelled"
	Failed    State = "failed"
)

// Ended reports whether the job stays as it is.
func (s State) Ended() bool { return s == Done || s == Cancelled || s == Failed }

// Why a job was paused by itself, or failed.
const (
	WhyDiskFull         = "disk_full"           // room for the results is missing; nothing that was reported is lost
	WhyNotWritten       = "results_not_written" // the results cannot be written for another reason
	WhyStore            = "store_unavailable"   // the users cannot be read
	WhyRulesChanged     = "rules_changed"       // the process was started again, and the rules that the job began with are no longer in force
	WhyPromotionAbsent  = "promotion_not_found" // after a restart the promotion is not in force any more
	WhyResultsDamaged   = "results_damaged"     // the results are shorter than the checkpoint says: somebody else wrote to them
	WhyBus              = "bus_unavailable"     // the bus does not take the results
	WhyBusFull          = "bus_full"            // it has no room for them
	WhyRulesUnavailable = "ruleset_unavailable" // the project has no rules here
)

// Ask is what a job is asked to find out.
type Ask struct {
	Promotion  string    `json:"promotion"`
	Channel    string    `json:"channel"`             // one of profile.Channels
	At         time.Time `json:"at"`                  // the instant for which rules, schedules and windows are evaluated
	CountBy    string    `json:"countBy,omitzero"`    // an attribute: users are counted by its values too
	AllLines   bool      `json:"allLines,omitzero"`   // results have a line for each user, not only for those who are eligible
	Publish    bool      `json:"publish,omitzero"`    // results go to the bus as well
	SpreadOver int64     `json:"spreadOver,omitzero"` // seconds: the job begins at some instant within them
}

// Count is users, and how many of them are eligible.
type Count struct {
	Users    int64 `json:"users"`
	Eligible int64 `json:"eligible"`
}

func (c *Count) add(eligible bool) {
	c.Users++
	if eligible {
		c.Eligible++
	}
}

// Job is a job as its last checkpoint has it: the counts are those of exactly the first Bytes of its results.
type Job struct {
	ID      string `json:"id"`
	Project string `json:"project"`
	Ask     Ask    `json:"ask"`
	State   State  `json:"state"`
	Why     string `json:"why,omitzero"` // of a job that paused by itself or failed, or that runs and cannot get on

	Created time.Time     `json:"created"`
	Begins  time.Time     `json:"begins"` // not before
	Ended   time.Time     `json:"ended,omitzero"`
	Worked  time.Duration `json:"worked"` // nanoseconds in which it ran

	// RulesVersions has one version, of the rules that were pinned when the job began. Another one is added when the job was resumed after WhyRulesChanged.
	RulesVersions []uint64 `json:"rulesVersions"`
	OldestAsOf    string   `json:"oldestAsOf,omitzero"` // stamps of the pages of users, each of which was read at one
	NewestAsOf    string   `json:"newestAsOf,omitzero"`

	Count
	Expected int64                  `json:"expected,omitzero"` // users of the project when the job began; 0: not known
	Reasons  map[rules.Reason]int64 `json:"reasons"`
	Values   map[string]Count       `json:"values,omitzero"` // of Ask.CountBy; at most maxValues
	Others   Count                  `json:"others,omitzero"` // users whose value came when Values was full
	Without  Count                  `json:"without,omitzero"`

	// Ranges are the parts of the users by ascending id, each with results of its own, which follow each other in this order. Empty until the job began.
	Ranges []Range `json:"ranges,omitzero"`
	Bytes  int64   `json:"bytes"` // of the results that can be read: those of the ranges that are whole, and of the first that is not

	After string `json:"after,omitzero"` // of a job that was begun before there were ranges: the user after whom it goes on

	Subject   string `json:"subject,omitzero"`   // of a job that publishes: where on the bus
	Published Place  `json:"published,omitzero"` // of a job that publishes
}

// maxValues bounds what is remembered of an attribute with many values.
const maxValues = 1000

func (j *Job) clone() Job {
	c := *j
	c.RulesVersions, c.Reasons, c.Values, c.Ranges = slices.Clone(j.RulesVersions), maps.Clone(j.Reasons), maps.Clone(j.Values), slices.Clone(j.Ranges)
	return c
}

// stamp notes the time at which users were read. Pages of several ranges come in any order of time.
func (j *Job) stamp(at hlc.Timestamp) {
	text := at.String()
	if oldest, err := hlc.Parse(j.OldestAsOf); err != nil || at.Before(oldest) { // the error is of a job that has read nobody
		j.OldestAsOf = text
	}
	if newest, err := hlc.Parse(j.NewestAsOf); err != nil || newest.Before(at) {
		j.NewestAsOf = text
	}
}

func (j *Job) value(text string, present, eligible bool) {
	if !present {
		j.Without.add(eligible)
		return
	}
	count, known := j.Values[text]
	if !known && len(j.Values) >= maxValues {
		j.Others.add(eligible)
		return
	}
	count.add(eligible)
	j.Values[text] = count
}
