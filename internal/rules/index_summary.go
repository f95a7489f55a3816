package rules

import (
	"cmp"
	"maps"
	"slices"
)

// IndexedAxis is an axis of the ruleset.
type IndexedAxis struct {
	Axis       string `json:"axis"`
	Kind       string `json:"kind"`
	Classes    int    `json:"classes"`
	Promotions int    `json:"promotions"` // that are filed by it
}

// IndexedTable is the index of one placement.
type IndexedTable struct {
	Placement  int32   `json:"placement"`
	Candidates int     `json:"candidates"` // promotions
	Blocks     int     `json:"blocks"`
	Sections   int     `json:"sections"` // texts by which promotions are found that are too many to have classes
	PerUser    float64 `json:"perUser"`  // of the candidates, how many a user of the sample leaves to be evaluated, on average
}

// InterpretedPart is a sub-expression that cel-go has to evaluate.
type InterpretedPart struct {
	Text       string   `json:"text"`
	Promotions int      `json:"promotions"` // that have it
	Examples   []string `json:"examples"`   // ids of some of them
}

// IndexedRate is a promotion and for what share of the sample it is evaluated.
type IndexedRate struct {
	Promotion     string  `json:"promotion"`
	CandidateRate float64 `json:"candidateRate"`
}

// IndexSummary is how the index sees a whole ruleset.
type IndexSummary struct {
	Version     uint64 `json:"rulesVersion"`
	Promotions  int    `json:"promotions"`
	Literals    int    `json:"literals"`    // of all rules
	Distinct    int    `json:"distinct"`    // texts among them
	Shared      int    `json:"shared"`      // texts that several promotions have
	Interpreted int    `json:"interpreted"` // texts that cel-go evaluates
	Unscreened  int    `json:"unscreened"`  // promotions that are filed by no axis: they are evaluated for everybody

	Axes       []IndexedAxis     `json:"axes"`       // the one that most are filed by first
	Placements []IndexedTable    `json:"placements"` // as declared
	Parts      []InterpretedPart `json:"parts"`      // interpreted ones, the one that most have first; at most 100
	Widest     []IndexedRate     `json:"widest"`     // promotions with the largest candidate rates; at most 20, none without a sample
	Sample     int               `json:"sample"`     // users asked
}

// Bounds of a summary.
const (
	summaryUsers    = 200 // of the sample: promotions times users are looked at
	summaryParts    = 100
	summaryExamples = 5
	summaryWidest   = 20
)

// summary is the view of the whole index; the sample may be nil.
func (rs *Ruleset) summary(found *sample) *IndexSummary {
	all := crowdedRuleset{Ruleset: rs, crowd: rs.crowd(found, summaryUsers), filed: make(map[int]int), rates: make(map[*Compiled]float64)}
	out := &IndexSummary{
		Version: rs.Version, Promotions: rs.Promotions.Len(), Axes: []IndexedAxis{}, Placements: []IndexedTable{}, Widest: []IndexedRate{}, Sample: len(all.crowd.users),
	}
	all.texts(out)
	all.screens(out)
	for i := range rs.Placements {
		table := &rs.Placements[i]
		view := IndexedTable{Placement: table.Placement.Placement, Candidates: table.Len(), Blocks: len(table.index.blocks)}
		for _, of := range table.sections {
			view.Sections += len(of.byText)
		}
		for _, c := range table.All() {
			view.PerUser += all.rates[c.Promotion]
		}
		out.Placements = append(out.Placements, view)
	}
	return out
}

// crowdedRuleset is a ruleset while it is summed up.
type crowdedRuleset struct {
	*Ruleset
	crowd crowd
	filed map[int]int           // by axis, the promotions that are filed by it
	rates map[*Compiled]float64 // candidate rates
}

// texts counts the literals.
func (rs *crowdedRuleset) texts(out *IndexSummary) {
	owners := make(map[string]int)
	parts := make(map[string]*InterpretedPart)
	for p := range rs.Promotions.All() {
		p.Rule.formula.leaves(func(*formula) { out.Literals++ })
		for text, leaf := range p.Rule.formula.texts() {
			owners[text]++
			if leaf.lit.typed != nil {
				continue
			}
			part := parts[text]
			if part == nil {
				part = &InterpretedPart{Text: text}
				parts[text] = part
			}
			part.Promotions++
			if len(part.Examples) < summaryExamples {
				part.Examples = append(part.Examples, p.ID)
			}
		}
	}
	out.Distinct, out.Interpreted = len(owners), len(parts)
	for _, n := range owners {
		if n > 1 {
			out.Shared++
		}
	}
	out.Parts = make([]InterpretedPart, 0, len(parts))
	for _, part := range parts {
		out.Parts = append(out.Parts, *part)
	}
	slices.SortFunc(out.Parts, func(x, y InterpretedPart) int {
		return cmp.Or(cmp.Compare(y.Promotions, x.Promotions), cmp.Compare(x.Text, y.Text))
	})
	out.Parts = out.Parts[:min(summaryParts, len(out.Parts))]
}

// screens counts by which axes promotions are filed, and whom they leave.
func (rs *crowdedRuleset) screens(out *IndexSummary) {
	for p := range rs.Promotions.All() {
		filed := newLane(rs.coding, p.Rule, false)
		for _, s := range filed.screens {
			rs.filed[s.axis]++
		}
		if len(filed.screens) == 0 {
			out.Unscreened++
		}
		rs.rates[p] = rs.candidateRate(p, &rs.crowd)
		if out.Sample > 0 {
			out.Widest = append(out.Widest, IndexedRate{Promotion: p.ID, CandidateRate: rs.rates[p]})
		}
	}
	slices.SortFunc(out.Widest, byRate)
	out.Widest = slices.Clone(out.Widest[:min(summaryWidest, len(out.Widest))])
	for _, at := range slices.Sorted(maps.Keys(rs.filed)) {
		a := &rs.coding.axes[at]
		out.Axes = append(out.Axes, IndexedAxis{Axis: rs.axisName(a.axisKey), Kind: a.kind.String(), Classes: a.classes(), Promotions: rs.filed[at]})
	}
	slices.SortStableFunc(out.Axes, func(x, y IndexedAxis) int { return y.Promotions - x.Promotions })
}
