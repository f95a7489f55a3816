package server

import (
	"slices"

	"eligibility/internal/hlc"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
)

// maxItems is how many items one list may have.
const maxItems = 1000

// batch keeps apart the items of a list that go to the store and those that do not.
type batch struct {
	index  []int // place in the list of each item that goes to the store
	failed []profile.ItemError
}

func (b *batch) accept(index int) { b.index = append(b.index, index) }

func (b *batch) fail(index int, p *problem.Problem) {
	detail := p.Detail
	if p.Field != "" {
		detail = p.Field + ": " + detail
	}
	b.failed = append(b.failed, profile.ItemError{Index: index, Code: p.Code, Detail: detail})
}

// listAnswer is the answer to a list.
type listAnswer struct {
	Accepted int                 `json:"accepted"`
	Failed   []profile.ItemError `json:"failed"`
	AsOf     hlc.Timestamp       `json:"asOf"`
}

// answer joins what was refused here and by the store, whose indices count only what it was given.
func (b *batch) answer(refused []profile.ItemError, at hlc.Timestamp) listAnswer {
	for _, e := range refused {
		e.Index = b.index[e.Index]
		b.failed = append(b.failed, e)
	}
	slices.SortFunc(b.failed, func(x, y profile.ItemError) int { return x.Index - y.Index })
	if b.failed == nil {
		b.failed = []profile.ItemError{}
	}
	return listAnswer{Accepted: len(b.index) - len(refused), Failed: b.failed, AsOf: at}
}
