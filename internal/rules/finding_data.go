package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// When the users of a sample say something about a rule.
const (
	enoughToMiss   = 100  // users: fewer do not show that something is rare
	rare           = 0.01 // an attribute that fewer have is rarely set
	commonlyAbsent = 0.05 // share of users for whom the rule fails, above which it is worth a word
	enoughValues   = 20   // users with an attribute, from which on its values are listed
	maxValues      = 50   // different values; more are no list to choose from
	perValue       = 4    // users who share a value on average, at least
	maxShownValues = 5
)

// observed looks at what the stored users hold of what a rule asks for. It only ever warns: users of tomorrow may be different.
type observed struct {
	a      *assessment
	sample *sample
	spans  *spans
	issues []Issue
	done   map[string]bool           // names that were looked at
	values map[string]map[string]int // by name: how many of the sample have each
}

// fromData is what the sample has to say about the rule.
func (a *assessment) fromData(s *sample) []Issue {
	o := &observed{
		a: a, sample: s, spans: &spans{text: newSourceText(a.source), info: a.b.info}, done: make(map[string]bool),
		values: make(map[string]map[string]int),
	}
	o.visit(a.b.checked.Expr())
	o.failures()
	slices.SortStableFunc(o.issues, func(x, y Issue) int { return cmp.Or(x.Line-y.Line, x.Column-y.Column) })
	return o.issues
}

func (o *observed) add(e ast.Expr, code, suggestion, format string, args ...any) {
	if len(o.issues) >= maxIssues {
		return
	}
	s := o.spans.of(e)
	line, column := o.spans.text.position(s.from)
	o.issues = append(o.issues, Issue{
		Severity: SeverityWarning, Field: fieldRule, Line: line, Column: column, Length: max(s.to-s.from, 0),
		Code: code, Message: fmt.Sprintf(format, args...), Suggestion: suggestion,
	})
}

func (o *observed) visit(e ast.Expr) {
	if root, path, ok := pathOf(e); ok {
		switch root {
		case varUser:
			if attr, ok := o.a.b.schema.Attribute(path); ok {
				o.attribute(e, attr)
				return
			}
		case varCatalog:
			o.eventType(e, path)
			return
		}
	}
	if e.Kind() == ast.CallKind {
		o.compared(e.AsCall())
	}
	for _, part := range parts(e) {
		o.visit(part)
	}
}

// first reports whether the name has not been looked at yet.
func (o *observed) first(name string) bool {
	seen := o.done[name]
	o.done[name] = true
	return !seen
}

func (o *observed) eventType(e ast.Expr, name string) {
	typ, ok := o.a.b.schema.EventType(name)
	if !ok || !o.first("event "+name) || len(o.sample.users) < enoughToMiss {
		return
	}
	for _, u := range o.sample.users {
		if u.Events(typ.Slot).Len() > 0 {
			return
		}
	}
	o.add(e, issueEventNeverSeen, "make sure that the app sends it", "of %d users sampled none has a %s event", len(o.sample.users), name)
}

func (o *observed) attribute(e ast.Expr, attr *profile.Attribute) {
	if !o.first("attribute "+attr.Name) || len(o.sample.users) < enoughToMiss {
		return
	}
	if set := o.set(attr.Slot); float64(set) < rare*float64(len(o.sample.users)) {
		o.add(e, issueRarelySet, "", "of %d users sampled %d have %s.%s", len(o.sample.users), set, varUser, attr.Name)
	}
}

// set is how many of the sample have the attribute.
func (o *observed) set(slot int) (n int) {
	for _, u := range o.sample.users {
		if u.State(slot) != profile.Absent {
			n++
		}
	}
	return n
}

// failures reports the attributes without which the rule comes out as an error, where that is not settled otherwise: such users do not
// qualify, whatever the rule's author would have said of them.
func (o *observed) failures() {
	if len(o.sample.users) < everybodyFrom {
		return
	}
	lacking := make(map[string]int)
	in := o.a.input(o.sample)
	for _, in.Snapshot = range o.sample.users {
		if value, err := o.a.of(&o.a.formula, in, true); value == isError {
			if code, name := classify(err); code == ReasonMissingAttribute {
				lacking[name]++
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(lacking)) {
		share := float64(lacking[name]) / float64(len(o.sample.users))
		path, ok := strings.CutPrefix(name, varUser+".")
		if e := o.reading(o.a.b.checked.Expr(), path); ok && e != nil && share >= commonlyAbsent {
			o.add(e, issueErrorsWithout, "ask has("+name+") first, or give a default with orValue",
				"%.0f %% of the users sampled have no %s: for them this is an error, and they do not qualify", 100*share, name)
		}
	}
}

// reading is the first place where the attribute is read without asking whether it is there.
func (o *observed) reading(e ast.Expr, path string) ast.Expr {
	if e.Kind() == ast.SelectKind {
		if root, found, ok := selection(e); ok && root == varUser && found == path {
			return e
		}
	}
	for _, part := range parts(e) {
		if found := o.reading(part, path); found != nil {
			return found
		}
	}
	return nil
}

// compared looks for texts that no value is equal to.
func (o *observed) compared(call ast.CallExpr) {
	args := call.Args()
	switch call.FunctionName() {
	case operators.Equals, operators.NotEquals:
		o.literal(args[0], args[1])
		o.literal(args[1], args[0])
	case operators.In:
		if args[1].Kind() == ast.ListKind {
			for _, item := range args[1].AsList().Elements() {
				o.literal(args[0], item)
			}
		}
		o.literal(args[1], args[0]) // 'x' in user.tags
	}
}

func (o *observed) literal(of, literal ast.Expr) {
	text, ok := stringLiteral(literal)
	if !ok || text == "" || literal.Kind() != ast.LiteralKind {
		return
	}
	name, seen := o.valuesOf(of)
	if len(seen) == 0 || seen[text] > 0 {
		return
	}
	byCount := slices.SortedFunc(maps.Keys(seen), func(a, b string) int { return cmp.Or(seen[b]-seen[a], strings.Compare(a, b)) })
	suggestion := "seen are " + quotedList(byCount)
	if near, ok := nearest(text, byCount); ok {
		suggestion = didYouMean(quoted(near))
	}
	o.add(literal, issueValueNeverSeen, suggestion, "nobody of the %d users sampled has %s as %s", len(o.sample.users), quoted(text), name)
}

func quotedList(values []string) string {
	shown := make([]string, 0, maxShownValues)
	for _, value := range values[:min(len(values), maxShownValues)] {
		shown = append(shown, quoted(value))
	}
	text := strings.Join(shown, ", ")
	if len(values) > maxShownValues {
		text += ", …"
	}
	return text
}

// valuesOf counts the texts that the sample holds in an attribute, a list, or a property of events; none when they are too few or too many
// to be a list to choose from.
func (o *observed) valuesOf(e ast.Expr) (name string, seen map[string]int) {
	root, path, ok := pathOf(e)
	if !ok {
		return "", nil
	}
	if root == varUser {
		name = root + "." + path
		attr, ok := o.a.b.schema.Attribute(path)
		if !ok || attr.Type.Kind != profile.String || attr.Type.Shape == profile.Map {
			return "", nil
		}
		return name, o.counted(name, func(count func(string)) { countAttribute(o.sample, attr, count) })
	}
	operand, field, _ := selected(e)
	typ, ok := o.a.b.schema.EventType(eventName(o.a.b.checked.GetType(operand.ID()).TypeName()))
	if !ok {
		return "", nil
	}
	property, ok := typ.Property(field)
	if !ok || property.Type.Kind != profile.String {
		return "", nil
	}
	name = field + " of " + typ.Name
	return name, o.counted(name, func(count func(string)) { countProperty(o.sample, typ, property, count) })
}

func (o *observed) counted(name string, each func(count func(string))) map[string]int {
	if known, ok := o.values[name]; ok {
		return known
	}
	seen := listed(each)
	o.values[name] = seen
	return seen
}

// listed counts texts, nil when they are too few or too different to be a list to choose from.
func listed(each func(count func(string))) map[string]int {
	seen, total := make(map[string]int), 0
	each(func(value string) {
		total++
		if len(seen) <= maxValues {
			seen[value]++
		}
	})
	if total < enoughValues || len(seen) > maxValues || len(seen)*perValue > total {
		return nil
	}
	return seen
}

func countAttribute(s *sample, attr *profile.Attribute, count func(string)) {
	for _, u := range s.users {
		if u.State(attr.Slot) != profile.Present {
			continue
		}
		if attr.Type.Shape == profile.Scalar {
			count(u.String(attr.Slot))
			continue
		}
		list := u.Values(attr.Slot)
		for i := range list.Len() {
			count(list.String(i))
		}
	}
}

func countProperty(s *sample, typ *profile.EventType, property *profile.Property, count func(string)) {
	for _, u := range s.users {
		events := u.Events(typ.Slot)
		for i := range events.Len() {
			if events.Has(i, property.Slot) {
				count(events.String(i, property.Slot))
			}
		}
	}
}
