package doctor

// Status is how a check ended.
type Status string

// The statuses. Skipped means that it could not be looked at, which is no fault of what would have been.
const (
	OK      Status = "ok"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Skipped Status = "skipped"
)

// Check is one thing that was looked at.
type Check struct {
	ID     string `json:"id"`   // stable: "feed_lag"
	Area   string `json:"area"` // "database", "bus", "data directory"
	Title  string `json:"title"`
	Status Status `json:"status"`
	Seen   string `json:"seen"`
	Why    string `json:"why"`           // it matters
	Run    string `json:"run,omitempty"` // mends it; empty when all is well
}

// Report is all checks, in the order in which they were made.
type Report struct {
	Checks []Check `json:"checks"`
}

// Count is how many checks ended so.
func (r *Report) Count(status Status) int {
	n := 0
	for i := range r.Checks {
		if r.Checks[i].Status == status {
			n++
		}
	}
	return n
}

// OK reports whether no check failed.
func (r *Report) OK() bool { return r.Count(Fail) == 0 }
