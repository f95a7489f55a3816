package rules

import (
	"slices"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

const (
	// maxExplainWindow is longer than any retention.
	maxExplainWindow = 100 * 366 * 24 * time.Hour
	maxReads         = 50 // of one condition
)

// explainer turns a checked tree and the values that its evaluation left into parts.
type explainer struct {
	builder *ruleBuilder
	tree    *ast.AST
	state   interpreter.EvalState
	in      *Input
}

// part explains e, going down through Boolean operators.
func (x *explainer) part(e ast.Expr) *ExplanationPart {
	p := x.outcome(e)
	if e.Kind() != ast.CallKind {
		x.reads(p, e)
		return p
	}
	call := e.AsCall()
	switch call.FunctionName() {
	case operators.LogicalNot:
		p.Operator, p.Parts = OperatorNot, x.parts(call.Args())
	case operators.LogicalAnd:
		p.Operator, p.Parts = OperatorAnd, x.parts(x.chain(e))
	case operators.LogicalOr:
		p.Operator, p.Parts = OperatorOr, x.parts(x.chain(e))
	case operators.Conditional:
		p.Operator, p.Parts = OperatorIf, x.branches(call.Args())
	default:
		x.reads(p, e)
	}
	return p
}

func (x *explainer) parts(exprs []ast.Expr) []*ExplanationPart {
	out := make([]*ExplanationPart, 0, len(exprs))
	for _, e := range exprs {
		out = append(out, x.part(e))
	}
	return out
}

// chain is the sides of a && or || as the author listed them: the parser balances long ones into a tree.
func (x *explainer) chain(e ast.Expr) []ast.Expr {
	sides := flatten(e, e.AsCall().FunctionName())
	slices.SortStableFunc(sides, func(a, b ast.Expr) int { return int(x.start(a)) - int(x.start(b)) })
	return sides
}

// branches explains a ternary. Both branches were evaluated; the one that was not taken has no say, so it is shown as not evaluated.
func (x *explainer) branches(args []ast.Expr) []*ExplanationPart {
	out := x.parts(args)
	for i, takenIf := range []Outcome{OutcomeTrue, OutcomeFalse} {
		if branch := out[i+1]; out[0].Outcome != takenIf {
			out[i+1] = &ExplanationPart{Text: branch.Text, Line: branch.Line, Column: branch.Column, Outcome: OutcomeNotEvaluated}
		}
	}
	return out
}

// outcome is e as written and what it came to.
func (x *explainer) outcome(e ast.Expr) *ExplanationPart {
	p := &ExplanationPart{Text: x.text(e), Outcome: OutcomeNotEvaluated}
	at := x.tree.SourceInfo().GetLocationByOffset(x.start(e))
	p.Line, p.Column = at.Line(), at.Column()+1
	value, ok := x.value(e)
	if !ok {
		return p
	}
	switch v := value.(type) {
	case types.Bool:
		p.Outcome = OutcomeFalse
		if v {
			p.Outcome = OutcomeTrue
		}
	case *types.Err:
		p.Outcome = OutcomeError
		p.Code, p.Detail = classify(v)
	default:
		p.Outcome, p.Value = OutcomeValue, shown(value)
	}
	return p
}

// value is what e came to. A literal is not evaluated, so it leaves no trace.
func (x *explainer) value(e ast.Expr) (ref.Val, bool) {
	if e.Kind() == ast.LiteralKind {
		return e.AsLiteral(), true
	}
	return x.state.Value(e.ID())
}

func (x *explainer) text(e ast.Expr) string { return textOf(e, x.tree.SourceInfo()) }

func (x *explainer) start(e ast.Expr) int32 { return startOf(e, x.tree.SourceInfo()) }

// reads lists the attributes and event functions below a condition, in the order of the text and each once. What stands inside a
// comprehension is left out: its nodes hold only what the last element came to.
func (x *explainer) reads(p *ExplanationPart, e ast.Expr) {
	p.Events = x.matched(e) // when the condition is an event function by itself
	seen := map[string]bool{p.Text: true}
	x.collect(e, func(node ast.Expr) {
		read := x.outcome(node)
		if len(p.Reads) < maxReads && read.Text != "" && !seen[read.Text] && read.Outcome != OutcomeNotEvaluated {
			seen[read.Text] = true
			if read.Outcome == OutcomeTrue || read.Outcome == OutcomeFalse {
				read.Value = string(read.Outcome)
			}
			read.Events = x.matched(node)
			p.Reads = append(p.Reads, read)
		}
	})
	slices.SortStableFunc(p.Reads, func(a, b *ExplanationPart) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
}

// collect calls found for what e reads from outside: selections of user and request, now, channel, and macro calls over events.
func (x *explainer) collect(e ast.Expr, found func(ast.Expr)) {
	if _, macro := x.tree.SourceInfo().GetMacroCall(e.ID()); macro {
		x.macro(e, found)
		return
	}
	switch e.Kind() {
	case ast.IdentKind:
		if name := e.AsIdent(); name == varNow || name == varChannel {
			found(e)
		}
	case ast.SelectKind:
		if root, _, ok := selection(e); ok && (root == varUser || root == varRequest) {
			found(e)
			return
		}
		x.collect(e.AsSelect().Operand(), found)
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			x.collect(call.Target(), found)
		}
		if call.FunctionName() == operators.OptSelect {
			found(e)
			return
		}
		for _, arg := range call.Args() {
			x.collect(arg, found)
		}
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			x.collect(element, found)
		}
	}
}

// macro reads a macro call as a whole, and the list that a comprehension of the author's ranges over.
func (x *explainer) macro(e ast.Expr, found func(ast.Expr)) {
	if e.Kind() == ast.ComprehensionKind {
		x.collect(e.AsComprehension().IterRange(), found)
	}
	found(e)
}
