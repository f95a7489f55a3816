package rulefile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"eligibility/internal/rules"
)

// Codes of faults of the files themselves; what is wrong with a promotion has the codes of rules.Issue. They are stable.
const (
	codeSyntax    = "yaml_syntax"
	codeKey       = "unknown_key"
	codeDuplicate = "duplicate_key"
	codeType      = "wrong_type"
	codeMissing   = "missing"
	codeTwice     = "duplicate"
	codeDeclared  = "declaration"
	codeUnknown   = "unknown_name"
	codeTooLarge  = "too_large"
)

// Fault is one finding at a place in a file. Lines and columns count from 1, columns and lengths in code points.
type Fault struct {
	File       string         `json:"file"`
	Line       int            `json:"line"`
	Column     int            `json:"column"`
	Length     int            `json:"length,omitempty"` // 0: as far as is known, to the end of the word
	Severity   rules.Severity `json:"severity"`
	Promotion  string         `json:"promotion,omitempty"`
	Field      string         `json:"field,omitempty"` // of the promotion: "rule", "placements[0].placement"
	Code       string         `json:"code"`
	Message    string         `json:"message"`
	Suggestion string         `json:"suggestion,omitempty"`

	text string // the line, for people
}

// Place is file:line:column, as editors and terminals understand it.
func (f *Fault) Place() string { return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column) }

// String is the fault for people: the place and message, the line with what is meant underlined, and what to do.
func (f *Fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s [%s]", f.Place(), f.Severity, f.Message, f.Code)
	if line, under := f.underlined(); line != "" {
		fmt.Fprintf(&b, "\n    %s\n    %s", line, under)
	}
	if f.Suggestion != "" {
		fmt.Fprintf(&b, "\n    %s", f.Suggestion)
	}
	return b.String()
}

// underlined is the line and a mark below the place. A long line is cut to what is near the place.
func (f *Fault) underlined() (line, under string) {
	const before, most = 60, 110
	runes := []rune(strings.ReplaceAll(f.text, "\t", " "))
	at := f.Column - 1
	if at < 0 || at >= len(runes) {
		return "", ""
	}
	length := min(max(f.Length, 1), len(runes)-at)
	from := 0
	for from < len(runes) && runes[from] == ' ' {
		from++
	}
	if from = min(from, at); at-from > before {
		from = at - before
	}
	to := min(len(runes), from+most)
	length = min(length, to-at)
	return string(runes[from:to]), strings.Repeat(" ", at-from) + "^" + strings.Repeat("~", length-1)
}

// Failed reports whether some fault is an error.
func Failed(faults []Fault) bool {
	return slices.ContainsFunc(faults, func(f Fault) bool { return f.Severity == rules.SeverityError })
}

// Sort puts faults in the order of files and places.
func Sort(faults []Fault) {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), strings.Compare(a.Code, b.Code))
	})
}
