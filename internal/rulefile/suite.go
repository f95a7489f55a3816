package rulefile

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"eligibility/internal/rules"

	"go.yaml.in/yaml/v3"
)

// Suite is a file of tests: users, and what is expected of them at fixed instants.
type Suite struct {
	Now     *time.Time                 `json:"now"`               // when the tests take place
	Channel string                     `json:"channel,omitempty"` // that the request comes over: embedded unless said otherwise
	Context map[string]json.RawMessage `json:"context,omitempty"` // that the request carries, by name
	Users   map[string]User            `json:"users"`             // by id
	Tests   []Test                     `json:"tests"`

	File *File `json:"-"`
	root *yaml.Node
}

// User is somebody made up for a test.
type User struct {
	Email      string                     `json:"email,omitempty"`
	TimeZone   string                     `json:"timeZone,omitempty"`
	Consent    map[string]bool            `json:"consent,omitempty"`    // by channel
	Attributes map[string]json.RawMessage `json:"attributes,omitempty"` // by name, nested ones as objects
	Events     []Event                    `json:"events,omitempty"`
}

// Event is something that the user did.
type Event struct {
	Name       string                     `json:"name"`
	OccurredAt *time.Time                 `json:"occurredAt,omitempty"` // either this
	Ago        *rules.Duration            `json:"ago,omitempty"`        // or this, before the suite's now
	Properties map[string]json.RawMessage `json:"properties,omitempty"`
}

// Test is one instant and request, and what is expected. What it does not say is as the suite says.
type Test struct {
	Name    string                     `json:"name"`
	Now     *time.Time                 `json:"now,omitempty"`
	Channel string                     `json:"channel,omitempty"`
	Context map[string]json.RawMessage `json:"context,omitempty"` // in place of the suite's
	// Expect says by promotion and user whether the user qualifies: eligible, not_eligible for whatever reason, or a reason code.
	Expect map[string]map[string]string `json:"expect,omitempty"`
	// Shown says by user and placement which promotions are shown, in this order. A placement that is not named is not looked at.
	Shown map[string]map[int32][]string `json:"shown,omitempty"`
}

// Fault is an error at the value that the steps lead to.
func (s *Suite) Fault(steps []string, code, format string, args ...any) Fault {
	return s.File.Fault(s.root, steps, code, format, args...)
}

// Unknown is the fault of a name that means nothing, at the value or key that the steps lead to, with the nearest that does.
func (s *Suite) Unknown(steps []string, what, name string, known []string) Fault {
	node := key(s.root, steps)
	if node.Value != name && !strings.HasSuffix(name, "."+node.Value) {
		node = find(s.root, steps)
	}
	fault := s.File.fault(node, codeUnknown, "there is no %s %q", what, clip(name))
	if near, ok := rules.Nearest(name, known); ok {
		fault.Suggestion = "did you mean " + near + "?"
	}
	return fault
}

// Wrong is the fault of a value that is not of the type it is declared with.
func (s *Suite) Wrong(steps []string, format string, args ...any) Fault {
	return s.Fault(steps, codeType, format, args...)
}

// Place is where the value that the steps lead to stands.
func (s *Suite) Place(steps ...string) (line, column int) {
	node := find(s.root, steps)
	return node.Line, node.Column
}

// key is the node of the last step when that is a key of a mapping, else what find finds.
func key(root *yaml.Node, steps []string) *yaml.Node {
	if len(steps) == 0 {
		return root
	}
	parent := find(root, steps[:len(steps)-1])
	if parent.Kind == yaml.AliasNode {
		parent = parent.Alias
	}
	if parent.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(parent.Content); i += 2 {
			if parent.Content[i].Value == steps[len(steps)-1] {
				return parent.Content[i]
			}
		}
	}
	return find(root, steps)
}

// check says what a suite lacks in itself, without its project.
func (s *Suite) check() []Fault {
	var faults []Fault
	if s.Now == nil {
		faults = append(faults, s.Fault(nil, codeMissing, "say when the tests take place, such as now: 2026-06-15T12:00:00Z"))
	}
	for id, user := range s.Users {
		for i, e := range user.Events {
			steps := []string{"users", id, "events", strconv.Itoa(i)}
			if (e.OccurredAt == nil) == (e.Ago == nil) {
				faults = append(faults, s.Fault(steps, codeMissing, "say when it happened, with either occurredAt or ago"))
			}
		}
	}
	for i, t := range s.Tests {
		steps := []string{"tests", strconv.Itoa(i)}
		if t.Name == "" {
			faults = append(faults, s.Fault(steps, codeMissing, "give the test a name"))
		}
		if len(t.Expect) == 0 && len(t.Shown) == 0 {
			faults = append(faults, s.Fault(steps, codeMissing, "say what is expected, with expect or shown"))
		}
	}
	return faults
}
