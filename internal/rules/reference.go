package rules

// Entry is one thing that a rule can say, as the rule reference prints it. Each stands here once, and every example is run.
type Entry struct {
	Form    string // how it is written, with the types of what goes in and comes out
	About   string
	Example string // a rule
	Want    string // what the example comes to for the user of the reference: true, false, or the code of its error
}

// Refusal is something that CEL knows and a rule may not say.
type Refusal struct {
	Example string
	Code    string // of the issue
	About   string // why, and what to write instead
}

// Meaning is what a stable code says.
type Meaning struct {
	Code  string
	About string
}

// Section is a part of the rule reference.
type Section struct {
	Title   string
	About   string
	Entries []Entry
}

// Reference is the rule language by sections: variables, operators, functions and macros.
func Reference() []Section {
	return []Section{
		{"Variables", "What a rule can look at. Which attributes, event types and context fields there are, the project declares.", variableEntries()},
		{"Operators", "`&&` and `||` take their sides in any order: a side that decides wins over an error on the other.", operatorEntries()},
		{
			"User events",
			"The type and property are written out in quotes. A window is (now − w, now]: an event of this instant counts, one exactly as old as the window does not. " +
				"A condition looks at one event after the other under a name of your choice; an event that lacks a property it asks for does not match.",
			eventEntries(),
		},
		{
			"Time",
			"A time of the day depends on the zone: give one in quotes, or an attribute that holds one. Without a zone it is UTC.",
			timeEntries(),
		},
		{"Text and versions", "", textEntries()},
		{"Lists and maps", "", listEntries()},
		{"Values that may be missing", "A rule that reads what is not there is not true; these are for authors who expect it.", optionalEntries()},
		{"Numbers and conversions", "", numberEntries()},
	}
}

// Reasons are all codes that say why a promotion did or did not qualify.
func Reasons() []Reason {
	meanings := ReasonMeanings()
	out := make([]Reason, len(meanings))
	for i, m := range meanings {
		out[i] = Reason(m.Code)
	}
	return out
}
