package rulefile

import (
	"eligibility/internal/rules"

	"go.yaml.in/yaml/v3"
)

// Promotion is a promotion of the folder and where it stands.
type Promotion struct {
	rules.Promotion
	File *File
	root *yaml.Node
}

// Fault puts an issue of the promotion where it belongs in the file: one of the rule's text exactly there, through quotes, indents and folded lines; another one at
// its field.
func (p *Promotion) Fault(issue rules.Issue) Fault {
	node := find(p.root, stepsOf(issue.Field))
	fault := p.File.fault(node, issue.Code, "%s", issue.Message)
	fault.Severity, fault.Promotion, fault.Field, fault.Suggestion = issue.Severity, p.ID, issue.Field, issue.Suggestion
	if issue.Line == 0 || node.Kind != yaml.ScalarNode {
		return fault
	}
	at, ok := p.File.places(node)
	if !ok || len(at) == 0 {
		fault.Length = 0
		return fault
	}
	first := offset(node.Value, issue.Line, issue.Column)
	last := first + max(issue.Length, 1) - 1
	from, to := at[min(first, len(at)-1)], at[min(last, len(at)-1)]
	fault.Line, fault.Column, fault.text = from.line, from.column, p.File.line(from.line)
	if first >= len(at) {
		fault.Column++ // behind the end
	}
	switch {
	case issue.Length == 0:
		fault.Length = 0
	case to.line == from.line:
		fault.Length = to.column - from.column + 1
	default:
		fault.Length = len([]rune(fault.text)) - from.column + 1
	}
	return fault
}

// offset is the number of code points before a line and column of the text.
func offset(text string, line, column int) int {
	at := 0
	for _, r := range text {
		if line == 1 {
			break
		}
		if r == '\n' {
			line--
		}
		at++
	}
	return at + column - 1
}

// Place is where the promotion begins in its file.
func (p *Promotion) Place() (line, column int) { return p.root.Line, p.root.Column }
