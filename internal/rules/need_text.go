package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// asked is the need of another value.
func (a *advisor) asked(kind NeedKind, name, now, example string, aims []int) Need {
	var wants []string
	for _, i := range aims {
		if want := a.wanted(i); !slices.Contains(wants, want) {
			wants = append(wants, want)
		}
	}
	need := strings.Join(wants, " and ")
	return Need{
		Kind: kind, Attribute: name, Now: now, Need: need, Example: example,
		Text: fmt.Sprintf("%s is %s; needed: %s", name, now, need),
	}
}

// wanted is what an aim asks of its subject, as short as its form allows: > 100.0, one of ['US', 'FR'], or the whole literal.
func (a *advisor) wanted(i int) string {
	aim := &a.aims[i]
	e := aim.expr
	if e.Kind() == ast.SelectKind {
		if e.AsSelect().IsTestOnly() {
			return map[bool]string{true: "set", false: "not set"}[aim.want]
		}
		return strconv.FormatBool(aim.want)
	}
	if e.Kind() != ast.CallKind {
		return aim.text
	}
	call := e.AsCall()
	if _, ok := tests[call.FunctionName()]; ok {
		return a.compared(aim, call)
	}
	if call.FunctionName() == operators.In {
		element, set := call.Args()[0], call.Args()[1]
		switch {
		case a.plain(element) && aim.want:
			return "one of " + a.value(set)
		case a.plain(element):
			return "none of " + a.value(set)
		case a.plain(set) && aim.want:
			return "with " + a.value(element)
		case a.plain(set):
			return "without " + a.value(element)
		}
	}
	return aim.text
}

// compared is the operator and the other side, when one side is the subject alone. A comparison that is to fail asks for the opposite: no
// attribute is NaN, and one that is missing is the literal's error, not its failure.
func (a *advisor) compared(aim *aim, call ast.CallExpr) string {
	left, right, op := call.Args()[0], call.Args()[1], tests[call.FunctionName()]
	if a.plain(right) {
		left, right, op = right, left, mirrored[op]
	}
	if !a.plain(left) {
		return aim.text
	}
	if !aim.want {
		op = opposites[op]
	}
	return testTexts[op] + " " + a.value(right)
}

// value is a constant as it is shown elsewhere, or else as its author wrote it.
func (a *advisor) value(e ast.Expr) string {
	if constant, ok := a.b.constant(e); ok {
		return shown(constant)
	}
	return textOf(e, a.b.info)
}

var (
	opposites = map[test]test{equals: notEquals, notEquals: equals, less: greaterEquals, lessEquals: greater, greater: lessEquals, greaterEquals: less}
	testTexts = map[test]string{equals: "==", notEquals: "!=", less: "<", lessEquals: "<=", greater: ">", greaterEquals: ">="}
)

// plain reports whether e is nothing but an attribute or the channel.
func (a *advisor) plain(e ast.Expr) bool {
	if e.Kind() == ast.IdentKind {
		return e.AsIdent() == varChannel
	}
	_, _, ok := selection(e)
	return ok && subjectOf(a.b.schema, a.b.context, e).reads
}

// more is the need of further events. Windows say when: within the shortest, or before it and within the next longer one.
func (a *advisor) more(e tryEvent, c *constants, at int64) Need {
	typ := a.b.schema.EventTypes[e.slot].Name
	windows := slices.Sorted(slices.Values(c.durations))
	text := fmt.Sprintf("%d more %s", e.n, typ)
	need := Need{Kind: NeedEvent, EventType: typ, Count: e.n, At: instant(e.at)}
	if with := readable(e.properties); with != "" {
		text += " with " + with
		need.Properties = json.RawMessage(e.properties)
	}
	switch i := slices.Index(windows, at-e.at); {
	case e.at == at && len(windows) > 0:
		text += " within " + printed(time.Duration(windows[0]))
	case i >= 0 && i+1 < len(windows):
		text += fmt.Sprintf(" within %s, but not within %s", printed(time.Duration(windows[i+1])), printed(time.Duration(windows[i])))
	case i >= 0:
		text += fmt.Sprintf(" %s ago or earlier", printed(time.Duration(windows[i])))
	}
	need.Text = text
	return need
}

// waiting is the need of time, with what turns meanwhile.
func (a *advisor) waiting(w way, at int64) Need {
	var turned []string
	later := *a.in
	later.Now = at
	for _, i := range w {
		if value, _ := a.aims[i].lit.value(&later); !a.aims[i].met && value.is(a.aims[i].want) {
			turned = append(turned, a.becomes(i))
		}
	}
	return Need{Kind: NeedTime, At: instant(at), Text: InTime(at-a.in.Now) + when(turned)}
}

func when(turned []string) string {
	if len(turned) == 0 {
		return ""
	}
	return ", when " + strings.Join(turned, " and ")
}

// becomes says of an aim that time alone meets what it then says.
func (a *advisor) becomes(i int) string { return turnedText(a.b, a.aims[i].expr, a.aims[i].want) }

// turnedText says what a literal that has just turned says, in words for what marketers write most: nothing happened for a while.
func turnedText(b *ruleBuilder, e ast.Expr, want bool) string {
	text := textOf(e, b.info)
	if slot, window, ok := b.absence(e, want); ok {
		return fmt.Sprintf("there was no %s for %s", b.schema.EventTypes[slot].Name, printed(time.Duration(window)))
	}
	if !want {
		return text + " is no longer true"
	}
	return text
}

// absence recognises that no event of a type happened within a window.
func (b *ruleBuilder) absence(e ast.Expr, want bool) (slot int, window int64, ok bool) {
	if e.Kind() != ast.CallKind {
		return 0, 0, false
	}
	counted, none := e, !want
	if op, compares := tests[e.AsCall().FunctionName()]; compares {
		constant, _ := b.constant(e.AsCall().Args()[1])
		counted = e.AsCall().Args()[0]
		switch {
		case constant == nil || constant.Value() != int64(0) && constant.Value() != int64(1):
			return 0, 0, false
		case constant.Value() == int64(0):
			none = want && (op == equals || op == lessEquals) || !want && (op == notEquals || op == greater)
		default:
			none = want && op == less || !want && op == greaterEquals
		}
	}
	slot, function, ok := b.streamCall(counted)
	if !ok || !none || function != "event_count" && function != "event_exists" {
		return 0, 0, false
	}
	window, err := b.constantDuration(counted.AsCall().Args()[1])
	return slot, window, err == nil
}

// InTime says how long a number of nanoseconds is, as people do: in 24m, in 3 days 4h.
func InTime(nanos int64) string {
	d := time.Duration(nanos)
	switch {
	case d < time.Second:
	case d < 10*time.Minute:
		d = d.Round(time.Second)
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
	default:
		d = d.Round(time.Hour)
		days, rest := d/day, d%day
		if rest == 0 {
			return fmt.Sprintf("in %d days", days)
		}
		return fmt.Sprintf("in %d days %s", days, printed(rest))
	}
	return "in " + printed(d)
}
