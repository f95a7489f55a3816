package rulefile

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

// ruleOf parses a document with the key rule.
func ruleOf(t *testing.T, text string) (*File, *yaml.Node) {
	t.Helper()
	f := &File{Path: "p.yaml"}
	if faults := f.parse([]byte(text)); len(faults) > 0 {
		t.Fatalf("parse %q: %v", text, faults)
	}
	return f, find(f.documents[0], []string{"rule"})
}

func TestPlacesInScalars(t *testing.T) {
	for _, c := range []struct {
		name, text string
		mark       string // of the value
		line, at   int    // where it stands
	}{
		{"plain", "rule: a == 'X' && b", "b", 1, 19},
		{"plain, folded", "rule: a == 'X'\n  && b\n", "b", 2, 6},
		{"plain, folded over blank lines", "rule: a ||\n\n\n   b\n", "b", 4, 4},
		{"plain, with trailing blanks", "rule: a ||   \n   b\n", "b", 2, 4},
		{"single quotes", "rule: 'a == ''X'' && b'", "b", 1, 22},
		{"single quotes, folded", "rule: 'a == ''X''\n   && b'", "b", 2, 7},
		{"double quotes", `rule: "a == \"X\" && b"`, "b", 1, 22},
		{"double quotes, escapes", `rule: "a \u0026\x26 b\n"`, "b", 1, 21},
		{"double quotes, a line that goes on", "rule: \"a ||\\\n    b\"", "b", 2, 5},
		{"double quotes, folded", "rule: \"a ||\n    b\"", "b", 2, 5},
		{"literal", "rule: |\n  a\n    && b\n", "b", 3, 8},
		{"literal, stripped", "rule: |-\n    a &&\n    b", "b", 3, 5},
		{"literal, with a number", "rule: |2\n      a\n    && b\n", "b", 3, 8},
		{"literal, blank lines first", "rule: |\n\n\n  a\n\n  b\n", "b", 6, 3},
		{"folded", "rule: >\n  a &&\n  b\n", "b", 3, 3},
		{"folded, lines further in", "rule: >-\n  a\n    && c\n  && b\n", "b", 4, 6},
		{"folded, blank lines", "rule: >-\n  a\n\n  && b\n", "b", 4, 6},
		{"characters beyond ASCII", "rule: user.city == 'Łódź 🎉' && b", "b", 1, 32},
		{"Windows line ends", "rule: |\r\n  a &&\r\n  b\r\n", "b", 3, 3},
		{"a tag and an anchor", "rule: !!str &r 'a && b'", "b", 1, 22},
		{"in a flow mapping", "{id: x, rule: \"a && b\", name: y}", "b", 1, 21},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, node := ruleOf(t, c.text)
			at, ok := f.places(node)
			if !ok || len(at) != len([]rune(node.Value)) {
				t.Fatalf("%q: %d places, found %t; the value is %q", c.text, len(at), ok, node.Value)
			}
			i := len([]rune(node.Value[:strings.LastIndex(node.Value, c.mark)]))
			if got := at[i]; got != (place{c.line, c.at}) {
				t.Errorf("%q stands at %d:%d, want %d:%d", c.mark, got.line, got.column, c.line, c.at)
			}
		})
	}
}

// TestPlacesAgreeWithTheParser: whatever the library writes for a text, in every style, each code point is found where it stands, or honestly not at all.
func TestPlacesAgreeWithTheParser(t *testing.T) {
	styles := []yaml.Style{0, yaml.SingleQuotedStyle, yaml.DoubleQuotedStyle, yaml.LiteralStyle, yaml.FoldedStyle}
	rapid.Check(t, func(t *rapid.T) {
		value := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{
			"a", "b", "user.x", " ", "  ", "\n", "\n\n", "'", "\"", "&&", "é", "🎉", "#", ": ", "\\", "-", "==", "\t",
		}), 1, 12).Draw(t, "parts"), "")
		root := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
			{Kind: yaml.ScalarNode, Value: "rule"},
			{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: rapid.SampledFrom(styles).Draw(t, "style")},
		}}
		text, err := yaml.Marshal(root)
		if err != nil {
			t.Skip("the library does not write this")
		}
		f := &File{}
		if faults := f.parse(text); len(faults) > 0 {
			t.Skip("the library does not read what it wrote")
		}
		node := find(f.documents[0], []string{"rule"})
		at, ok := f.places(node)
		if !ok {
			for line := range strings.Lines(value) {
				if line != "\n" && strings.TrimSpace(line) == "" {
					t.Skip("lines of blanks alone are not told from empty ones")
				}
			}
			t.Fatalf("no places in %q, which is %q", text, node.Value)
		}
		for i, r := range []rune(node.Value) {
			line := []rune(f.line(at[i].line))
			if r == '\n' || r == ' ' && at[i].column > len(line) {
				continue // a line break stands for it
			}
			if at[i].column > len(line) || line[at[i].column-1] != r && line[at[i].column-1] != '\\' {
				t.Fatalf("%q of %q is said to stand at %d:%d of\n%s", r, node.Value, at[i].line, at[i].column, text)
			}
		}
	})
}
