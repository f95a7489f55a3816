package rules

import (
	"cmp"
	"maps"
	"slices"
)

// sections are the candidates of which each asks for one text that has no class of its own, filed by it. Rows would leave all of them that share a class: of a promotion
// for each of thousands of shops or segments that is most of what there is. A section is an index like that of all other candidates, and mostly of one small block.
type sections struct {
	axis   int
	from   source
	byText map[string]*index
}

// filing is the text that a candidate is filed by. The zero value is none.
type filing struct {
	axis int // and one more
	text string
}

// file is where a candidate of the rule is filed, and the part of it that being found there settles. It depends on nothing but the rule, whichever coding of one root says so: on an
// axis that has room all texts of rules have classes, and one that has none never gets any.
func (c *coding) file(r *Rule) (filing, *formula) {
	for _, part := range r.parts() {
		if part.op != opLiteral {
			continue
		}
		if l, ok := part.lit.typed.(comparison[string]); ok && (l.test == equals && part.want || l.test == notEquals && !part.want) {
			if at, ok := c.at[l.from.key()]; ok && c.axes[at].symbol(l.constant) >= classCoarse {
				return filing{axis: at + 1, text: l.constant}, part
			}
		}
	}
	return filing{}, nil
}

// parts is what the rule is an AND of.
func (r *Rule) parts() []*formula {
	if r.formula.op != opAnd {
		return []*formula{&r.formula}
	}
	parts := make([]*formula, len(r.formula.kids))
	for i := range parts {
		parts[i] = &r.formula.kids[i]
	}
	return parts
}

// fill indexes the candidates, which are in their order, with what the table before it has indexed already; before may be nil, and else is of a coding that c extends.
func (t *PlacementTable) fill(c *coding, candidates []Candidate, before *PlacementTable, workers int) {
	byFiling := make(map[filing][]Candidate)
	for i := range candidates {
		at, _ := c.file(candidates[i].Promotion.Rule)
		byFiling[at] = append(byFiling[at], candidates[i])
	}
	t.index = newIndex(c, byFiling[filing{}], before.filed(filing{}), workers)
	delete(byFiling, filing{})
	filed := slices.Collect(maps.Keys(byFiling))
	indexes := make([]*index, len(filed))
	each(workers, len(filed), func(i int) { indexes[i] = newIndex(c, byFiling[filed[i]], before.filed(filed[i]), 1) })
	for i, at := range filed {
		t.section(c, at.axis-1).byText[at.text] = indexes[i]
	}
	t.sortSections()
}

func (t *PlacementTable) sortSections() {
	slices.SortFunc(t.sections, func(x, y sections) int { return cmp.Compare(x.axis, y.axis) })
}

// section is the sections of an axis, made where there are none yet.
func (t *PlacementTable) section(c *coding, axis int) *sections {
	for i := range t.sections {
		if t.sections[i].axis == axis {
			return &t.sections[i]
		}
	}
	t.sections = append(t.sections, sections{axis: axis, from: c.axes[axis].from, byText: make(map[string]*index)})
	return &t.sections[len(t.sections)-1]
}

// filed is the index of what is filed there, nil when nothing is.
func (t *PlacementTable) filed(at filing) *index {
	switch {
	case t == nil:
		return nil
	case at.axis == 0:
		return t.index
	}
	for i := range t.sections {
		if t.sections[i].axis == at.axis-1 {
			return t.sections[i].byText[at.text]
		}
	}
	return nil
}

// follow makes the table from the one before it, of a coding that c extends, by what changed.
func (t *PlacementTable) follow(c *coding, before *PlacementTable, changed *succession) {
	t.index, t.sections = before.index, before.sections
	filed := make(map[filing]*succession)
	sort := func(list []*Compiled, to func(*succession) *[]*Compiled) {
		for _, p := range list {
			at, _ := c.file(p.Rule)
			if filed[at] == nil {
				filed[at] = &succession{}
			}
			into := to(filed[at])
			*into = append(*into, p)
		}
	}
	sort(changed.gone, func(s *succession) *[]*Compiled { return &s.gone })
	sort(changed.come, func(s *succession) *[]*Compiled { return &s.come })
	own := make(map[int]bool) // axes whose sections are the table's to write
	for at, change := range filed {
		was := t.filed(at)
		if was == nil {
			was = &index{}
		}
		is := was.after(c, change, t.Placement.Placement)
		switch {
		case is == was:
			continue
		case at.axis == 0:
			t.index = is
			continue
		case len(own) == 0:
			t.sections = slices.Clone(t.sections) // decisions go through those of before
		}
		of := t.section(c, at.axis-1)
		if !own[at.axis] {
			of.byText, own[at.axis] = maps.Clone(of.byText), true
		}
		if is.size() > 0 {
			of.byText[at.text] = is
		} else {
			delete(of.byText, at.text)
		}
	}
	if len(own) > 0 {
		t.sortSections()
	}
}

// indexes are those of the placement: of what is filed nowhere, then the sections in no order.
func (t *PlacementTable) indexes() []*index {
	all := []*index{t.index}
	for i := range t.sections {
		all = slices.AppendSeq(all, maps.Values(t.sections[i].byText))
	}
	return all
}
