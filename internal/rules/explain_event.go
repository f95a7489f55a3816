package rules

import (
	"fmt"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// maxMatched is how many events of one function are listed.
const maxMatched = 10

// MatchedEvents are the events that an event function counted.
type MatchedEvents struct {
	Total int            `json:"total"` // in the window, those that do not meet the condition left out
	Shown []MatchedEvent `json:"shown"` // the newest of them, newest first
}

// MatchedEvent is one event, with the properties that the function reads.
type MatchedEvent struct {
	OccurredAt time.Time         `json:"occurredAt"`
	Properties map[string]string `json:"properties,omitempty"` // as the rule language writes them
}

// matched lists the events that the event function at e counted, nil when e is none or its history was cut. A condition is asked of each event
// again: the state of an evaluation holds only what the last one came to.
func (x *explainer) matched(e ast.Expr) *MatchedEvents {
	list, slot, condition, ok := x.window(e)
	if !ok {
		return nil
	}
	typ := &x.builder.schema.EventTypes[slot]
	read := propertiesRead(e, typ)
	out := &MatchedEvents{Shown: []MatchedEvent{}}
	for i := len(list.values) - 1; i >= 0; i-- {
		event := &list.values[i]
		if condition != nil && !condition(event) {
			continue
		}
		out.Total++
		if len(out.Shown) == maxMatched {
			continue
		}
		one := MatchedEvent{OccurredAt: time.Unix(0, event.at()).UTC()}
		for j := range typ.Properties {
			p := &typ.Properties[j]
			if !read[p.Name] || !list.events.Has(event.index, p.Slot) {
				continue
			}
			if one.Properties == nil {
				one.Properties = make(map[string]string)
			}
			one.Properties[p.Name] = shown(boxProperty(list.events, event.index, p.Slot, p.Type.Kind))
		}
		out.Shown = append(out.Shown, one)
	}
	return out
}

// window is the events that the function at e looks at, and its condition if it has one.
func (x *explainer) window(e ast.Expr) (list *eventList, slot int, condition func(*eventValue) bool, ok bool) {
	if loop, found := conditional(e); found {
		slot, ok = x.builder.streamSlot(loop.IterRange())
		value, kept := x.value(loop.IterRange())
		list, isList := value.(*eventList)
		if !ok || !kept || !isList {
			return nil, 0, nil, false
		}
		condition, err := x.condition(loop)
		return list, slot, condition, err == nil
	}
	slot, function, ok := x.builder.streamCall(e)
	if !ok {
		return nil, 0, nil, false
	}
	events, from, to, whole := x.in.Snapshot.Events(slot), 0, 0, false
	stream := &eventStream{in: x.in, slot: slot}
	switch args := e.AsCall().Args(); {
	case function == "event_first" || function == "event_last":
		events, from, to, whole = stream.all()
	default:
		window, err := x.builder.constantDuration(args[len(args)-1])
		if err != nil {
			return nil, 0, nil, false
		}
		from, to = events.Window(x.in.Now, window)
		whole = !truncated(events, x.in.Now, window)
	}
	return newEventList(events, from, to), slot, nil, whole
}

// conditional is the comprehension over events that an event function with a condition was turned into.
func conditional(e ast.Expr) (ast.ComprehensionExpr, bool) {
	candidates := []ast.Expr{e}
	if e.Kind() == ast.CallKind {
		candidates = e.AsCall().Args()
	}
	i := slices.IndexFunc(candidates, func(c ast.Expr) bool {
		if c.Kind() != ast.ComprehensionKind || c.AsComprehension().IterRange().Kind() != ast.CallKind {
			return false
		}
		function := c.AsComprehension().IterRange().AsCall().FunctionName()
		return function == fnWindow || function == fnAll
	})
	if i < 0 {
		return nil, false
	}
	return candidates[i].AsComprehension(), true
}

// condition is the question that a comprehension asks of each event.
func (x *explainer) condition(loop ast.ComprehensionExpr) (func(*eventValue) bool, error) {
	var asked ast.Expr
	ast.PreOrderVisit(loop.LoopStep(), ast.NewExprVisitor(func(node ast.Expr) {
		if node.Kind() == ast.CallKind && node.AsCall().FunctionName() == fnMatches {
			asked = node
		}
	}))
	if asked == nil {
		return nil, fmt.Errorf("a condition over events without %s", fnMatches)
	}
	program, err := x.builder.env.subProgram(x.builder.checked, asked)
	if err != nil {
		return nil, err
	}
	return func(event *eventValue) bool {
		value, _, err := program.Eval(&eventScope{Input: x.in, name: loop.IterVar(), event: event})
		return err == nil && value == types.True
	}, nil
}

// eventScope is an input with one variable more: the event that a condition is asked of.
type eventScope struct {
	*Input
	name  string
	event *eventValue
}

var _ cel.Activation = (*eventScope)(nil)

// ResolveName finds the event, or what the input has.
func (s *eventScope) ResolveName(name string) (any, bool) {
	if name == s.name {
		return s.event, true
	}
	return s.Input.ResolveName(name)
}
