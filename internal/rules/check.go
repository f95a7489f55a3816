package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// Limits of a rule's text.
const (
	maxCodePoints = 4096
	maxNodes      = 1000 // of the tree, with what macros write: a conditional event count is about 20
	maxRecursion  = 64
	maxRecovery   = 10 // syntax errors after which the parser gives up
)

// maxIssues bounds what one check reports: after twenty the first ones matter.
const maxIssues = 20

// checkLimits are the limits that a project sets itself.
type checkLimits struct {
	retention time.Duration // the longest window; 0 is profile.DefaultRetention
}

func (l checkLimits) withDefaults() checkLimits {
	if l.retention <= 0 {
		l.retention = profile.DefaultRetention
	}
	return l
}

// checking is one check of one rule.
type checking struct {
	env    *env
	limits checkLimits
	text   *sourceText
	spans  *spans
	issues []Issue
}

// check parses and checks a rule. The tree is nil exactly when some issue is an error; warnings may come with a tree. Issues are in the
// order of the text. It never panics: a fault of the library comes out as an issue too.
func (e *env) check(source string, limits checkLimits) (tree *cel.Ast, issues []Issue) {
	c := &checking{env: e, limits: limits.withDefaults()}
	defer func() {
		if r := recover(); r != nil {
			tree, issues = nil, []Issue{{
				Severity: SeverityError, Field: fieldRule, Line: 1, Column: 1, Code: issueInternal,
				Message: "the rule is beyond what can be checked; make it simpler",
			}}
		}
	}()
	tree = c.run(source)
	return tree, c.report()
}

func (c *checking) run(source string) *cel.Ast {
	if !utf8.ValidString(source) {
		c.text = newSourceText("")
		c.fault(span{}, issueSyntax, "", "the rule is not valid UTF-8")
		return nil
	}
	if n := utf8.RuneCountInString(source); n > maxCodePoints {
		c.text = newSourceText("")
		c.fault(span{}, issueTooLong, "split it into several promotions", "the rule has %d characters; %d are allowed", n, maxCodePoints)
		return nil
	}
	c.text = newSourceText(source)
	if len(c.text.tokens) == 0 {
		c.fault(span{}, issueSyntax, "write true to reach everyone", "the rule is empty")
		return nil
	}
	parsed, failed := c.env.cel.Parse(source)
	if failed.Err() != nil {
		c.syntax(failed.Errors())
		return nil
	}
	c.spans = &spans{text: c.text, info: parsed.NativeRep().SourceInfo()}
	if n := ast.NodeCount(parsed.NativeRep()); n > maxNodes {
		c.fault(span{}, issueTooComplex, "", "the rule has too many parts: at most %d", maxNodes)
		return nil
	}
	if c.form(parsed.NativeRep()); c.failed() {
		return nil
	}
	checked, failed := c.env.cel.Check(parsed)
	if failed.Err() != nil {
		c.types(source)
		if !c.failed() {
			c.fault(span{}, issueTypes, "", "the rule cannot be evaluated as written")
		}
		return nil
	}
	c.spans = &spans{text: c.text, info: checked.NativeRep().SourceInfo()}
	c.checked(checked.NativeRep())
	if c.failed() {
		return nil
	}
	return checked
}

// suggestComparison is the way out wherever a value stands in the place of a condition.
const suggestComparison = "compare it with something, such as == or >"

// checked looks at a tree whose types are right.
func (c *checking) checked(native *ast.AST) {
	if out := native.GetType(native.Expr().ID()); !out.IsExactType(types.BoolType) {
		if isOptional(out) {
			c.faultAt(native.Expr(), issueMustBeBool, "add .orValue(false), or compare it with something",
				"a rule must be true or false, but here may be no value")
			return
		}
		c.faultAt(native.Expr(), issueMustBeBool, suggestComparison, "a rule must be true or false, but this is %s", typeName(out))
		return
	}
	c.tree(native)
	if c.failed() {
		return
	}
	c.constants(native)
	if c.failed() {
		return
	}
	if steps := c.env.cost(native); steps > maxSteps {
		c.fault(span{0, len(c.text.runes)}, issueTooComplex, "shorten the conditions on lists and events",
			"for a user with long lists and many events the rule takes %d steps; %d are allowed", steps, maxSteps)
		return
	}
	if _, err := c.env.program(native); err != nil {
		c.fault(span{}, issueInternal, "", "the rule cannot be planned; make it simpler")
	}
}

func (c *checking) fault(s span, code, suggestion, format string, args ...any) {
	c.add(SeverityError, s, code, suggestion, fmt.Sprintf(format, args...))
}

func (c *checking) faultAt(e ast.Expr, code, suggestion, format string, args ...any) {
	c.add(SeverityError, c.spans.of(e), code, suggestion, fmt.Sprintf(format, args...))
}

func (c *checking) add(severity Severity, s span, code, suggestion, message string) {
	line, column := c.text.position(s.from)
	c.issues = append(c.issues, Issue{
		Severity: severity, Field: fieldRule, Line: line, Column: column, Length: max(s.to-s.from, 0),
		Code: code, Message: message, Suggestion: suggestion,
	})
}

func (c *checking) failed() bool {
	return slices.ContainsFunc(c.issues, func(i Issue) bool { return i.Severity == SeverityError })
}

// report is the issues in the order of the text, each once.
func (c *checking) report() []Issue {
	slices.SortStableFunc(c.issues, func(a, b Issue) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Code, b.Code))
	})
	issues := slices.CompactFunc(c.issues, func(a, b Issue) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Code == b.Code && a.Message == b.Message
	})
	return issues[:min(len(issues), maxIssues)]
}
