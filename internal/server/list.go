package server

import (
	"slices"

	"eligibility/internal/hlc"
	"eligibility/internal/problem"
	"eligibility/internal/profile"
	"eligibility/internal/strictjson"

	"github.com/valyala/fasthttp"
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

// putList answers a call that stores a JSON array: each item is read on its own, what is at fault is reported by its place, and the rest is stored in one
// commit.
func putList[T any](s *Server, ctx *fasthttp.RequestCtx, st *state, read func(check *checker, raw []byte) (T, *problem.Problem),
	store func(project string, items []T, check *checker) (hlc.Timestamp, []profile.ItemError, *problem.Problem),
) *problem.Problem {
	project := st.caller.project()
	rs := s.deps.Rulesets.Load(project)
	if rs == nil {
		return noRuleset()
	}
	raws, err := strictjson.Items(ctx.PostBody(), maxItems)
	if err != nil {
		return strictjson.Explain(err)
	}
	var b batch
	check := checker{schema: rs.Schema}
	items := make([]T, 0, len(raws))
	for i, raw := range raws {
		item, p := read(&check, raw)
		if p != nil {
			b.fail(i, p)
			continue
		}
		b.accept(i)
		items = append(items, item)
	}
	at, refused, p := store(project, items, &check)
	if p != nil {
		return p
	}
	return s.reply(ctx, b.answer(refused, at))
}
