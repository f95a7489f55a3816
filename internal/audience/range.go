package audience

import (
	"cmp"
	"context"
	"slices"
)

// Range is the users behind the one before, up to To.
type Range struct {
	To    string `json:"to,omitzero"`    // the last id that may be in it; "" in the last range: all that follow
	After string `json:"after,omitzero"` // the user after whom it goes on
	Bytes int64  `json:"bytes"`          // of its results
	Done  bool   `json:"done,omitzero"`
}

// begin fills in the ranges of a job that has none. Where to cut is taken from a sample of the users, so that ranges are of about one size whatever ids look
// like; users who come and go later only make them uneven.
func (r *runner) begin(ctx context.Context) {
	if len(r.job.Ranges) > 0 {
		return
	}
	if r.job.After != "" { // begun before there were ranges
		r.job.Ranges = []Range{{After: r.job.After, Bytes: r.job.Bytes}}
		r.job.After = ""
		return
	}
	var ids []string
	if r.m.deps.Sampler != nil {
		_, total, err := r.m.deps.Sampler.Sample(ctx, r.job.Project, 0)
		if err == nil {
			r.job.Expected = int64(total)
		}
		if n := min(r.m.cfg.Ranges, total/(minRangePages*r.m.cfg.PageUsers)); err == nil && n > 1 {
			users, _, err := r.m.deps.Sampler.Sample(ctx, r.job.Project, n*sampledPerRange)
			for i := 0; err == nil && i < len(users); i++ {
				ids = append(ids, users[i].Key.User)
			}
			ids = cuts(ids, n)
		}
	}
	after := ""
	for _, id := range append(ids, "") {
		r.job.Ranges = append(r.job.Ranges, Range{After: after, To: id})
		after = id
	}
}

// A range is worth its file and its place in the checkpoint from so many pages on, and is cut by so many users of a sample.
const (
	minRangePages   = 16
	sampledPerRange = 8
)

// cuts are the last ids of n ranges of about one size, but of the last: fewer where the sample does not tell them apart.
func cuts(sample []string, n int) (ids []string) {
	slices.Sort(sample)
	sample = slices.Compact(sample)
	for i := 1; i < n && len(sample) > 0; i++ {
		if id := sample[(len(sample)-1)*i/n]; len(ids) == 0 || cmp.Compare(id, ids[len(ids)-1]) > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// visible is how long the results are that can be read: what is there must never change, so that a range which is not whole hides those behind it.
func (j *Job) visible() (bytes int64) {
	for i := range j.Ranges {
		if bytes += j.Ranges[i].Bytes; !j.Ranges[i].Done {
			break
		}
	}
	return bytes
}

// RangesDone is how many of the ranges are whole.
func (j *Job) RangesDone() (n int) {
	for i := range j.Ranges {
		if j.Ranges[i].Done {
			n++
		}
	}
	return n
}

// evaluated reports whether every user was: the results are complete, though not all may be published.
func (j *Job) evaluated() bool { return len(j.Ranges) > 0 && j.RangesDone() == len(j.Ranges) }
