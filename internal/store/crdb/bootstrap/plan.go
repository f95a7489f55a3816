package bootstrap

// Action is what is to be done about a difference.
type Action string

// The actions.
const (
	Create     Action = "create"
	Change     Action = "change"
	Blocked    Action = "blocked"    // declared, but it cannot be made so yet, or not on this release
	Undeclared Action = "undeclared" // there, but not declared; reported and left
)

// Item is one difference between what is declared and what is.
type Item struct {
	Action    Action `json:"action"`
	Object    string `json:"object"`
	Declared  string `json:"declared,omitempty"`
	Actual    string `json:"actual,omitempty"`
	Statement string `json:"statement,omitempty"` // as it may be shown: hashes are left out
	Note      string `json:"note,omitempty"`

	run        string // the statement as it is executed
	inDatabase bool   // to be executed in the declared database
}

// runs reports whether applying the plan does something about the item.
func (i *Item) runs() bool { return i.run != "" }

// Plan is every difference, in the order in which they are to be mended.
type Plan struct {
	Database string `json:"database"`
	Server   string `json:"server"`
	Items    []Item `json:"items"`
	Same     int    `json:"same"` // declared and found so
}

// Drift reports whether anything differs, what is not declared included.
func (p *Plan) Drift() bool { return len(p.Items) > 0 }

// Count is how many items have one of the actions.
func (p *Plan) Count(actions ...Action) int {
	n := 0
	for i := range p.Items {
		for _, action := range actions {
			if p.Items[i].Action == action {
				n++
			}
		}
	}
	return n
}
