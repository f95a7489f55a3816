package rules

import (
	"encoding/binary"
	"slices"

	"cel.dev/cel-go/common/ast"
)

// question is how a rule reads one attribute of the request.
type question struct {
	slot int
	lit  screened // when a class of the request decides it, as far as the axis can tell; nil when its value is needed
	want bool
}

// questions lists what the rule's literals read of the request.
func (b *ruleBuilder) questions(f *formula) []question {
	var out []question
	f.leaves(func(leaf *formula) {
		slots := b.requestSlots(b.exprs[leaf.lit])
		if len(slots) == 0 {
			return
		}
		if lit, key, ok := leaf.screened(); ok && key.from.from == fromRequest && key.kind != axisMember && len(slots) == 1 {
			out = append(out, question{slot: slots[0], lit: lit, want: leaf.want})
			return
		}
		for _, slot := range slots {
			out = append(out, question{slot: slot})
		}
	})
	return out
}

// requestSlots is which attributes of the request the expression names; all of them where it uses the request as a whole.
func (b *ruleBuilder) requestSlots(e ast.Expr) []int {
	var slots []int
	named, idents := 0, 0
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(node ast.Expr) {
		switch node.Kind() {
		case ast.IdentKind:
			if node.AsIdent() == varRequest {
				idents++
			}
		case ast.SelectKind:
			root, path, ok := b.requestPath(node)
			if !ok || root != varRequest {
				return
			}
			if slot := slices.IndexFunc(b.context, func(f ContextField) bool { return f.Name == path }); slot >= 0 {
				slots = append(slots, slot)
				named++
			}
		}
	}))
	if idents != named {
		slots = slots[:0]
		for slot := range b.context {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	return slices.Compact(slots)
}

// requestPath is selection, also of a test for presence.
func (b *ruleBuilder) requestPath(e ast.Expr) (root, path string, ok bool) {
	if s := e.AsSelect(); s.IsTestOnly() {
		if s.Operand().Kind() == ast.IdentKind {
			return s.Operand().AsIdent(), s.FieldName(), true
		}
		return "", "", false
	}
	return selection(e)
}

// asked is how the rules of a ruleset read an attribute of the request.
type asked uint8

const (
	askedNothing asked = iota // no rule does
	askedClass                // its class on the axis of its type decides every literal that does
	askedValue
)

// noteQuestions adds to what the ruleset asks of requests; prev's, when its rules are a part of it, come first.
func (rs *Ruleset) noteQuestions(prev *Ruleset, rules []*Rule) {
	rs.asks = make([]asked, len(rs.Context))
	rs.askAxes = make([]int, len(rs.Context))
	if prev != nil {
		copy(rs.asks, prev.asks)
		copy(rs.askAxes, prev.askAxes)
	}
	for _, r := range rules {
		for _, q := range r.questions {
			if rs.asks[q.slot] == askedValue {
				continue
			}
			rs.asks[q.slot] = askedValue
			if q.lit == nil {
				continue
			}
			if key, ok := q.lit.axis(q.want); ok {
				if at, ok := rs.coding.at[key]; ok && rs.coding.axes[at].exact(q.lit, q.want) {
					rs.asks[q.slot], rs.askAxes[q.slot] = askedClass, at
				}
			}
		}
	}
}

// AppendRequestClass appends what of a request's context can make a difference to the ruleset's rules: of an attribute that no rule reads nothing, of one that rules compare with
// constants the class that decides the comparisons, of others the value. Of two requests whose classes are equal every rule says the same.
func (rs *Ruleset) AppendRequestClass(dst []byte, context []ContextValue) []byte {
	in := Input{Context: context}
	for slot := range min(len(context), len(rs.asks)) {
		v := &context[slot]
		switch rs.asks[slot] {
		case askedClass:
			a := &rs.coding.axes[rs.askAxes[slot]]
			class := a.class(&in)
			if a.kind == axisText {
				class = min(class, classCoarse) // texts that no rule names are all one
			}
			if class != classNone {
				dst = binary.AppendUvarint(dst, uint64(slot))
				dst = append(dst, class)
			}
		case askedValue:
			if v.Set {
				dst = binary.AppendUvarint(dst, uint64(slot))
				dst = binary.AppendUvarint(dst, v.Bits)
				dst = binary.AppendUvarint(dst, uint64(len(v.Text)))
				dst = append(dst, v.Text...)
			}
		}
	}
	return dst
}
