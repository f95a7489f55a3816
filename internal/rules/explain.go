package rules

import (
	"fmt"
	"strings"
	"time"
)

// Outcome is what a sub-expression came to.
type Outcome string

// The outcomes.
const (
	OutcomeTrue         Outcome = "true"
	OutcomeFalse        Outcome = "false"
	OutcomeError        Outcome = "error"
	OutcomeValue        Outcome = "value"         // it is no condition: Value says what it is
	OutcomeNotEvaluated Outcome = "not_evaluated" // the branch of a ?: that was not taken
)

// Operator is how a condition is made from its parts.
type Operator string

// The operators. A part without one is shown whole, with what it read.
const (
	OperatorAnd Operator = "and"
	OperatorOr  Operator = "or"
	OperatorNot Operator = "not"
	OperatorIf  Operator = "if" // parts: the condition, the value if it is true, the value if not
)

// Explanation is a rule's verdict for one user with every part of it.
type Explanation struct {
	Outcome Outcome `json:"outcome"`
	// Code says why the rule is not true; ReasonEligible when it is.
	Code   Reason `json:"code"`
	Detail string `json:"detail,omitempty"` // what is missing or wrong, as the author writes it
	// Decisive is the smallest part that alone keeps the rule from being true, "" when it is.
	Decisive string           `json:"decisive,omitempty"`
	Root     *ExplanationPart `json:"root"`

	// Ways are what would have to become otherwise for the verdict to turn, the nearest first; the needs of one way are needed together. Turn is the
	// next instant at which it turns by time alone, nil when none does. Who tells them adds what withholds a promotion beside its rule.
	Ways [][]Need `json:"-"`
	Turn *Turn    `json:"-"`
}

// ExplanationPart is a sub-expression as its author wrote it, and what it came to. All parts are evaluated, also those that a decision
// skips.
type ExplanationPart struct {
	Text     string             `json:"text"`
	Line     int                `json:"line,omitempty"`
	Column   int                `json:"column,omitempty"`
	Operator Operator           `json:"operator,omitempty"`
	Outcome  Outcome            `json:"outcome"`
	Code     Reason             `json:"code,omitempty"`   // of an error
	Detail   string             `json:"detail,omitempty"` // of an error
	Value    string             `json:"value,omitempty"`  // as the rule language writes it
	Parts    []*ExplanationPart `json:"parts,omitempty"`  // of an operator
	Reads    []*ExplanationPart `json:"reads,omitempty"`  // of a condition without one: the attributes and event functions that it read
	Events   *MatchedEvents     `json:"events,omitempty"` // of an event function: those it counted
}

// Explain evaluates the rule's source for the input within the ruleset's schema and context, and says what every part of it came to. The
// outcome is that of a decision. A rule that does not check has issues instead. It is some hundred times slower than a decision.
func Explain(rs *Ruleset, source string, in *Input) (*Explanation, []Issue, error) {
	env, err := newEnv(rs.Schema, rs.Context)
	if err != nil {
		return nil, nil, fmt.Errorf("make the environment of project %s: %w", rs.Project, err)
	}
	// The retention does not matter here: what was published was held against it then.
	checked, issues := env.check(source, checkLimits{retention: maxExplainWindow})
	if checked == nil || Failed(issues) {
		return nil, issues, nil
	}
	program, err := env.explainProgram(checked.NativeRep())
	if err != nil {
		return nil, nil, fmt.Errorf("plan for explanation: %w", err)
	}
	// Eval's error is the rule's own; the state holds it too, at the root's id.
	_, details, err := program.Eval(in)
	if details == nil || details.State() == nil {
		return nil, nil, fmt.Errorf("evaluate for explanation: %w", err)
	}
	b, f, err := buildRule(env, checked, time.Duration(rs.Retention))
	if err != nil {
		return nil, nil, fmt.Errorf("build for explanation: %w", err)
	}
	x := &explainer{builder: b, tree: checked.NativeRep(), state: details.State(), in: in}
	root := x.part(x.tree.Expr())
	out := &Explanation{Outcome: root.Outcome, Code: ReasonEligible, Root: root}
	switch cause := root.cause(); root.Outcome {
	case OutcomeTrue:
	case OutcomeError:
		out.Decisive, out.Code, out.Detail = cause.Text, root.Code, root.Detail
	default:
		out.Decisive, out.Code = cause.Text, ReasonRuleFalse
	}
	out.Turn = turnOf(b, &f, in)
	out.Ways, err = advise(b, in, root.Outcome == OutcomeTrue)
	return out, nil, err
}

// turnOf walks to the instant at which the rule turns, and says which of its literals did.
func turnOf(b *ruleBuilder, f *formula, in *Input) *Turn {
	later := *in
	at, turned, ok := NextTurn(in.Now, func(at int64) (bool, int64) {
		later.Now = at
		holds, until, _ := f.truth(&later)
		return holds, until
	})
	switch {
	case !ok:
		return nil
	case !turned:
		return &Turn{At: *instant(at), NotBefore: true, Text: "not before " + instant(at).Format(time.RFC3339Nano)}
	}
	before := *in
	before.Now, later.Now = at-1, at
	var what []string
	f.each(func(lit *formula) {
		was, _ := lit.lit.value(&before)
		is, _ := lit.lit.value(&later)
		if text := turnedText(b, b.exprs[lit.lit], is == isTrue); was != is && !strings.Contains(strings.Join(what, "\x00"), text) {
			what = append(what, text)
		}
	})
	return &Turn{At: *instant(at), Text: InTime(at-in.Now) + when(what)}
}

// each visits the literals in the order of the text.
func (f *formula) each(visit func(lit *formula)) {
	if f.op == opLiteral {
		visit(f)
		return
	}
	for i := range f.kids {
		f.kids[i].each(visit)
	}
}

// cause is the smallest part that alone makes p what it is: the first false side of a false &&, the first failed side of a failed one. A
// false || has none smaller than itself, since all its sides are false.
func (p *ExplanationPart) cause() *ExplanationPart {
	switch p.Operator {
	case OperatorAnd, OperatorOr:
		settling := OutcomeFalse
		if p.Operator == OperatorOr {
			settling = OutcomeTrue
		}
		for _, part := range p.Parts {
			if part.Outcome == p.Outcome && (p.Outcome == settling || p.Outcome == OutcomeError) {
				return part.cause()
			}
		}
	case OperatorNot:
		if cause := p.Parts[0].cause(); cause != p.Parts[0] {
			return cause
		}
	case OperatorIf:
		for _, branch := range p.Parts[1:] {
			if branch.Outcome != OutcomeNotEvaluated {
				return branch.cause()
			}
		}
		return p.Parts[0].cause() // it failed, so neither branch was taken
	}
	return p
}
