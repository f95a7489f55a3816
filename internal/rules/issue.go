package rules

// Severity says whether an issue keeps a rule from being published.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Issue is one finding about a promotion or its rule. Lines and columns count from 1, columns and lengths in code points; an issue of the
// document and not of the rule's text has line 0 and names the Field.
type Issue struct {
	Severity   Severity `json:"severity"`
	Field      string   `json:"field,omitempty"` // "rule", "placements[0].placement", …
	Line       int      `json:"line,omitempty"`
	Column     int      `json:"column,omitempty"`
	Length     int      `json:"length,omitempty"`
	Code       string   `json:"code"` // stable: see the error reference
	Message    string   `json:"message"`
	Suggestion string   `json:"suggestion,omitempty"`
}
