package rules

import (
	"fmt"
	"slices"
	"strings"

	"eligibility/internal/profile"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// maxClauses bounds the clauses of a rule that is searched for findings; nobody reads a longer one anyway.
const maxClauses = 300

// meaning is what there is to say about the meaning of a rule that checks: that it, or a part of it, always or never comes out true, or that
// a part changes nothing. What it says is so for every user and every request; what it does not find may be so all the same. Only a rule
// that can never be true is an error.
func meaning(b *ruleBuilder, source string) []Issue {
	if b.literals > maxClauses {
		return nil
	}
	f, root := newFinder(b, source)
	anywhere := possible{}
	switch {
	case root.fixed: // said already, or the author's own switch
	case !root.can(anywhere):
		f.never(root, anywhere)
	case root.must(anywhere):
		f.add(root.at, codeAlways, "", "this rule is true for every user: publishing it asks for confirmation")
	default:
		f.search(root, anywhere)
	}
	return f.issues
}

func (f *finder) add(e ast.Expr, code, suggestion, format string, args ...any) {
	f.addSpan(f.spans.of(e), SeverityWarning, code, suggestion, fmt.Sprintf(format, args...))
}

func (f *finder) addSpan(s span, severity Severity, code, suggestion, message string) {
	line, column := f.spans.text.position(s.from)
	issue := Issue{
		Severity: severity, Field: fieldRule, Line: line, Column: column, Length: max(s.to-s.from, 0),
		Code: code, Message: message, Suggestion: suggestion,
	}
	if len(f.issues) < maxIssues && !slices.Contains(f.issues, issue) {
		f.issues = append(f.issues, issue)
	}
}

// across is the text from one part of a junction to another.
func (f *finder) across(first, last *claim) span {
	return f.spans.text.balance(merge(f.spans.of(first.at), f.spans.of(last.at)))
}

func (f *finder) text(c *claim) string { return f.spans.text.text(f.spans.of(c.at)) }

// never reports a rule that cannot be true, at what keeps it from being so.
func (f *finder) never(root *claim, p possible) {
	s, why, suggestion := f.culprit(root, p)
	f.addSpan(s, SeverityError, codeNever, suggestion, "this rule is true for nobody: "+why)
}

// culprit is the smallest part that keeps a claim from ever holding, why, and what the author may have meant.
func (f *finder) culprit(c *claim, p possible) (at span, why, suggestion string) {
	word := wanted(c)
	switch {
	case c.fixed || c.op == opLiteral:
		return f.spans.of(c.at), f.text(c) + " is never " + word, f.nearChannel(c)
	case c.op != opAnd:
		return f.spans.of(c.at), "no alternative in " + f.text(c) + " can be " + word, ""
	}
	for _, kid := range c.kids {
		if !kid.can(p) {
			return f.culprit(kid, p)
		}
	}
	for _, part := range c.byDomain() {
		if part.can(p) {
			continue
		}
		if x, y := part.clash(p); x != nil {
			return f.across(x, y), f.text(x) + " and " + f.text(y) + " exclude each other", f.clashHint(x, y)
		}
		first, last := part.kids[0], part.kids[len(part.kids)-1]
		return f.across(first, last), "these conditions on " + part.domain.label() + " exclude each other", ""
	}
	within := p.clone()
	for _, kid := range c.kids {
		within.where(kid, holds)
	}
	for _, kid := range c.kids {
		if !kid.can(within) {
			return f.spans.of(kid.at), f.text(kid) + " is never " + wanted(kid) + " together with the rest", ""
		}
	}
	return f.spans.of(c.at), f.text(c) + " is never " + word, ""
}

func wanted(c *claim) string {
	if c.want {
		return "true"
	}
	return "false"
}

// clash is the first pair of parts that cannot both hold.
func (c *claim) clash(p possible) (x, y *claim) {
	for j, second := range c.kids {
		for _, first := range c.kids[:j] {
			pair := &claim{op: opAnd, kids: []*claim{first, second}}
			pair.ofOneDomain()
			if !pair.can(p) {
				return first, second
			}
		}
	}
	return nil, nil
}

// clashHint is for the commonest slip: asking for two values at once.
func (f *finder) clashHint(x, y *claim) string {
	if x.want && y.want && isCall(x.at, operators.Equals) && isCall(y.at, operators.Equals) {
		return "to allow either, use ||"
	}
	return ""
}

func isCall(e ast.Expr, function string) bool {
	return e.Kind() == ast.CallKind && e.AsCall().FunctionName() == function
}

// label is how a message calls what is asked about.
func (d *domain) label() string {
	if d.kind == domainStream {
		return "the number of " + d.name + " events"
	}
	return d.name
}

// search looks into a claim that can hold but need not.
func (f *finder) search(c *claim, p possible) {
	if f.presence(c, p) {
		return
	}
	switch c.op {
	case opAnd:
		f.searchAll(c, p)
	case opOr:
		f.searchAny(c, p)
	case opChoice: // of the condition itself both values count, so that there is nothing to say about half of it
		for _, way := range c.kids {
			guard, branch := way.kids[0], way.kids[1]
			within := p.clone()
			within.where(guard, holds)
			f.branch(branch, within)
		}
	}
}

// branch searches an alternative, or reports that it can never be the one.
func (f *finder) branch(c *claim, p possible) {
	switch {
	case c.fixed:
	case !c.can(p):
		s, why, suggestion := f.culprit(c, p)
		if c.can(possible{}) {
			s, why, suggestion = f.spans.of(c.at), "what stands around it excludes it", ""
		}
		f.addSpan(s, SeverityWarning, issueUnreachable, suggestion, f.text(c)+" can never be "+wanted(c)+" here: "+why)
	default:
		f.search(c, p)
	}
}

// searchAll looks at the parts of an AND. Each is searched where all others hold.
func (f *finder) searchAll(c *claim, p possible) {
	spare := c.spare(p)
	f.repeated(c, spare)
	for _, kid := range c.kids {
		if kid.fixed {
			continue
		}
		if spare[kid] {
			f.redundant(c, kid, p)
			continue
		}
		within := p.clone()
		for _, other := range c.kids {
			if other != kid && !spare[other] {
				within.where(other, holds)
			}
		}
		if kid.domain == nil && kid.must(within) {
			f.redundant(c, kid, p)
			continue
		}
		if kid.domain != nil {
			within = p // what the others on this domain exclude was compared above
		}
		f.search(kid, within)
	}
}

// searchAny looks at the alternatives of an OR.
func (f *finder) searchAny(c *claim, p possible) {
	spare := c.spare(p)
	f.repeated(c, spare)
	for _, kid := range c.kids {
		if kid.fixed || spare[kid] && kid.can(p) {
			if !kid.fixed {
				f.redundant(c, kid, p)
			}
			continue
		}
		within := p.clone()
		for _, other := range c.kids {
			if other != kid && !spare[other] {
				within.where(other, holdsNot)
			}
		}
		if kid.domain == nil && kid.can(p) && !kid.can(within) {
			f.redundant(c, kid, p)
			continue
		}
		f.branch(kid, p)
	}
	for _, part := range c.byDomain() {
		f.presenceOf(part, p, f.across(part.kids[0], part.kids[len(part.kids)-1]))
	}
}

// repeated adds the parts of a junction that stand there before, word for word.
func (f *finder) repeated(c *claim, spare map[*claim]bool) {
	seen := make(map[string]bool)
	for _, kid := range c.kids {
		text := textOf(kid.at, f.b.info)
		if seen[text] && text != "" {
			spare[kid] = true
		}
		seen[text] = true
	}
}

func (f *finder) redundant(c, kid *claim, p possible) {
	reason := "it is " + wanted(kid) + " whenever the conditions beside it are met"
	if c.op != opAnd {
		reason = "the alternatives beside it already cover it"
	}
	if kid.must(p) {
		reason = "it is always " + wanted(kid)
	}
	f.add(kid.at, issueRedundant, "leave it out", "%s changes nothing: %s", f.text(kid), reason)
}

// presence reports a claim that holds for whatever value an attribute has: it asks no more than that there is one.
func (f *finder) presence(c *claim, p possible) bool {
	return c.domain != nil && f.presenceOf(c, p, f.spans.of(c.at))
}

func (f *finder) presenceOf(c *claim, p possible, at span) bool {
	if d := c.domain; d.kind != domainAttribute && d.kind != domainField {
		return false
	}
	for i, value := range c.cells {
		if unset := c.domain.cells[i].unset; unset && value != isError || !unset && value != isTrue || !p.has(c.domain, i) {
			return false
		}
	}
	suggestion := "to ask for no more than that, write has(" + c.domain.name + ")"
	if c.op == opOr && all(c.kids, func(kid *claim) bool { return kid.want && isCall(kid.at, operators.NotEquals) }) {
		suggestion = "to exclude all of them, use &&"
	}
	f.addSpan(at, SeverityWarning, issueTrueWhenSet, suggestion,
		f.spans.text.text(at)+" is "+wanted(c)+" for everybody who has "+c.domain.name+", whatever it is")
	return true
}

// nearChannel is what a misspelt channel most likely means.
func (f *finder) nearChannel(c *claim) string {
	if c.domain == nil || c.domain.name != varChannel {
		return ""
	}
	for _, u := range c.domain.uses {
		for _, constant := range u.constants {
			name, ok := constant.(types.String)
			if !ok || u.claim != c || slices.Contains(profile.Channels, string(name)) {
				continue
			}
			if near, ok := nearest(string(name), profile.Channels); ok {
				return didYouMean("'" + near + "'")
			}
			return "the channels are " + strings.Join(profile.Channels, ", ")
		}
	}
	return ""
}
