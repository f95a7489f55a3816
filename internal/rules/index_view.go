package rules

import (
	"cmp"
	"fmt"
	"slices"
)

// IndexedLiteral is one sub-expression of a rule that is evaluated as a whole.
type IndexedLiteral struct {
	Text string `json:"text"`
	// Interpreted is set when cel-go evaluates it: no shape that is understood, some hundred times as dear as the others.
	Interpreted bool   `json:"interpreted"`
	Timed       bool   `json:"timed"`          // time alone may change it
	Axis        string `json:"axis,omitempty"` // on which the index can rule it out; "" when on none
	Promotions  int    `json:"promotions"`     // in force that have it, this one among them
}

// IndexedScreen is an axis on which the index files a rule, and the classes of it in which the rule may hold.
type IndexedScreen struct {
	Axis    string `json:"axis"`
	Kind    string `json:"kind"`
	Open    int    `json:"open"`    // classes in which the rule may hold
	Classes int    `json:"classes"` // that there are
	// PassRate is the share of the sample, 0 to 1, that this screen alone lets pass; 1 for what the request decides.
	PassRate float64 `json:"passRate"`
}

// IndexedPlace is where a rule stands in a placement.
type IndexedPlace struct {
	Placement int32 `json:"placement"`
	Rank      int   `json:"rank"` // from 1: first to be shown
	// Section is the text by which the rule is found, when it is one of more than the index has classes for; the blocks are then those of the section.
	Section   string `json:"section,omitempty"`
	Block     int    `json:"block"`     // from 1
	BlockSize int    `json:"blockSize"` // rules in the block
	Blocks    int    `json:"blocks"`    // of the placement, or of the section
}

// IndexedPromotion is how the index sees one promotion in force.
type IndexedPromotion struct {
	Promotion  string           `json:"promotion"`
	Revision   int              `json:"revision"`
	Version    uint64           `json:"rulesVersion"`
	Rule       string           `json:"rule"`
	Literals   []IndexedLiteral `json:"literals"`
	Screens    []IndexedScreen  `json:"screens"`
	Placements []IndexedPlace   `json:"placements"`
	// Of a sample of the project's users, as shares from 0 to 1: CandidateRate is who passes all screens and the clause, for whom the rest of the rule is evaluated; TrueRate is who it
	// is true for. What the request decides is taken as met. Both are 0 when Sample is.
	Sample        int     `json:"sample"`
	CandidateRate float64 `json:"candidateRate"`
	TrueRate      float64 `json:"trueRate"`
}

// indexed is the view of a promotion in force, as a sample sees it; the sample may be nil.
func (rs *Ruleset) indexed(p *Compiled, found *sample) *IndexedPromotion {
	view := &IndexedPromotion{
		Promotion: p.ID, Revision: p.Revision, Version: rs.Version, Rule: p.Rule.source,
		Literals: []IndexedLiteral{}, Screens: []IndexedScreen{}, Placements: rs.indexedPlaces(p),
	}
	texts := make(map[string]int) // of this rule's literals, the promotions that have them
	p.Rule.formula.leaves(func(f *formula) {
		if _, seen := texts[f.part.Text]; seen {
			return
		}
		texts[f.part.Text] = 0
		view.Literals = append(view.Literals, rs.literalView(f))
	})
	for other := range rs.Promotions.All() {
		for text := range other.Rule.formula.texts() {
			if n, ok := texts[text]; ok {
				texts[text] = n + 1
			}
		}
	}
	for i := range view.Literals {
		view.Literals[i].Promotions = texts[view.Literals[i].Text]
	}
	filed := newLane(rs.coding, p.Rule, false)
	crowd := rs.crowd(found, SampleUsers)
	for _, s := range filed.screens {
		a := &rs.coding.axes[s.axis]
		view.Screens = append(view.Screens, IndexedScreen{
			Axis: rs.axisName(a.axisKey), Kind: a.kind.String(), Open: s.set.size(a.classes()), Classes: a.classes(), PassRate: crowd.rate(&lane{screens: []screen{s}}, filing{}),
		})
	}
	view.Sample, view.CandidateRate = len(crowd.users), rs.candidateRate(p, &crowd)
	return view
}

// leaves calls with each literal, in the order of the text.
func (f *formula) leaves(with func(*formula)) {
	if f.op == opLiteral {
		with(f)
	}
	for i := range f.kids {
		f.kids[i].leaves(with)
	}
}

// texts is the literals' texts, each once.
func (f *formula) texts() map[string]*formula {
	out := make(map[string]*formula)
	f.leaves(func(leaf *formula) { out[leaf.part.Text] = leaf })
	return out
}

func (rs *Ruleset) literalView(f *formula) IndexedLiteral {
	view := IndexedLiteral{Text: f.part.Text, Interpreted: f.lit.typed == nil, Timed: len(f.lit.edges) > 0}
	if lit, ok := f.lit.typed.(screened); ok {
		if key, ok := lit.axis(f.want); ok && lit.classes(&rs.coding.axes[rs.coding.at[key]], f.want) != everyClass {
			view.Axis = rs.axisName(key)
		}
	}
	return view
}

// indexedPlaces is where the promotion stands in each of its placements.
func (rs *Ruleset) indexedPlaces(p *Compiled) []IndexedPlace {
	out := []IndexedPlace{}
	for i := range rs.Placements {
		table := &rs.Placements[i]
		for rank, c := range table.All() {
			if c.Promotion != p {
				continue
			}
			filed, _ := rs.coding.file(p.Rule)
			blocks := table.filed(filed).blocks
			at := slices.IndexFunc(blocks, func(b *block) bool {
				return slices.ContainsFunc(b.candidates, func(c Candidate) bool { return c.Promotion == p })
			})
			out = append(out, IndexedPlace{
				Placement: table.Placement.Placement, Rank: rank + 1, Section: filed.text, Block: at + 1, BlockSize: len(blocks[at].candidates), Blocks: len(blocks),
			})
			break
		}
	}
	return out
}

// axisName is what an author calls what the axis looks at.
func (rs *Ruleset) axisName(key axisKey) string {
	slot := key.from.slot
	if key.kind == axisEvents {
		for i := range rs.Schema.EventTypes {
			if rs.Schema.EventTypes[i].Slot == slot {
				return fmt.Sprintf("events of %s", rs.Schema.EventTypes[i].Name)
			}
		}
	}
	switch key.from.from {
	case fromUserID:
		return "user.id"
	case fromChannel:
		return varChannel
	case fromRequest:
		return varRequest + "." + rs.Context[slot].Name
	}
	name := varUser + "." + rs.Schema.Attributes[slot].Name
	if key.kind == axisState {
		return "has(" + name + ")"
	}
	return name
}

// String is the kind in a word.
func (k axisKind) String() string {
	return [...]string{
		axisText: "text", axisInt: "number", axisDouble: "number", axisBool: "flag", axisState: "presence", axisMember: "elements", axisEvents: "event count",
	}[k]
}

// candidateRate is the share of the users whose walks come to the promotion.
func (rs *Ruleset) candidateRate(p *Compiled, c *crowd) float64 {
	at, _ := rs.coding.file(p.Rule)
	for i := range rs.Placements {
		x := rs.Placements[i].filed(at)
		if x == nil {
			continue
		}
		for _, b := range x.blocks {
			if lane := slices.IndexFunc(b.candidates, func(c Candidate) bool { return c.Promotion == p }); lane >= 0 {
				return c.rate(b.lanes[lane], at)
			}
		}
	}
	return c.rate(newLane(rs.coding, p.Rule, false), at) // it has no placement
}

// crowd is a sample's users by their classes.
type crowd struct {
	coding *coding
	users  []encoding
	inputs []Input
}

// crowd sorts at most so many users of the sample into classes; none of a sample that is nil.
func (rs *Ruleset) crowd(found *sample, most int) crowd {
	c := crowd{coding: rs.coding}
	if found == nil {
		return c
	}
	for _, snap := range found.users[:min(most, len(found.users))] {
		in, e := Input{Snapshot: snap, Now: found.now(), Retention: rs.Retention}, encoding{}
		rs.coding.encode(&e, &in)
		c.users, c.inputs = append(c.users, e), append(c.inputs, in)
	}
	return c
}

// rate is the share of the users that have the text, where there is one, and pass all screens and the clause, but for what these ask of the request.
func (c *crowd) rate(l *lane, at filing) float64 {
	if len(c.users) == 0 {
		return 0
	}
	n := 0
	for i := range c.users {
		if c.users[i].passes(l) && c.has(i, at) {
			n++
		}
	}
	return float64(n) / float64(len(c.users))
}

func (c *crowd) has(user int, at filing) bool {
	if at.axis == 0 || c.coding.axes[at.axis-1].asked() {
		return true
	}
	text, ok := c.coding.axes[at.axis-1].from.readText(&c.inputs[user])
	return ok && text == at.text
}

func (e *encoding) passes(l *lane) bool {
	return !slices.ContainsFunc(l.screens, func(s screen) bool { return !e.in(s) }) &&
		(l.clause == nil || slices.ContainsFunc(l.clause, e.in))
}

// in reports whether the user is in one of the screen's classes, as far as it is his to be.
func (e *encoding) in(s screen) bool {
	a, class := &e.coding.axes[s.axis], e.classes[s.axis]
	switch {
	case a.asked():
		return true
	case a.kind == axisMember:
		list := e.members[class+1 : class+1+uint16(e.members[class])]
		return slices.ContainsFunc(list, s.set.has)
	}
	return s.set.has(uint8(class))
}

// byRate puts the largest first, those of one rate by name.
func byRate(x, y IndexedRate) int {
	return cmp.Or(cmp.Compare(y.CandidateRate, x.CandidateRate), cmp.Compare(x.Promotion, y.Promotion))
}
