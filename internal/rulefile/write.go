package rulefile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"eligibility/internal/rules"

	"go.yaml.in/yaml/v3"
)

// maxInline is how long a list or an object of plain values may be to stand on one line.
const maxInline = 100

// Marshal writes a promotion or a Project as YAML that Load reads back as the same value, with its keys in the order of the API.
func Marshal(v any) ([]byte, error) {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	// JSON is YAML already; only its looks have to change.
	var document yaml.Node
	if err := yaml.Unmarshal(escaped(encoded.String()), &document); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	for _, root := range document.Content {
		restyle(root)
		root.Style = 0
		if rule := find(root, []string{"rule"}); rule != root && needsQuotes(rule.Value) {
			rule.Style = yaml.LiteralStyle // rules are full of quotes; doubling them makes them unreadable
		}
	}
	var out bytes.Buffer
	writer := yaml.NewEncoder(&out)
	writer.SetIndent(2)
	if err := writer.Encode(&document); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out.Bytes(), nil
}

// needsQuotes reports whether a rule with quotes in it cannot stand as it is.
func needsQuotes(rule string) bool {
	return strings.Contains(rule, "'") && (strings.ContainsAny(rule[:1], "!&*[]{}#|>@`\"%',?:-") || strings.Contains(rule, ": ") || strings.Contains(rule, " #"))
}

// restyle takes the quotes and brackets off that YAML does without, and returns how long the node would be on one line, or more than
// maxInline when it does not belong there.
func restyle(node *yaml.Node) int {
	if node.Kind == yaml.ScalarNode {
		node.Style = 0
		if node.Tag == "!!str" && strings.ContainsFunc(node.Value, breaks) {
			node.Style = yaml.DoubleQuotedStyle
		}
		if strings.ContainsAny(node.Value, "\n") {
			return maxInline + 1
		}
		return utf8.RuneCountInString(node.Value) + 2
	}
	length, plain := 2, true
	for _, child := range node.Content {
		length += restyle(child) + 2
		plain = plain && child.Kind == yaml.ScalarNode
	}
	node.Style = 0
	if len(node.Content) == 0 || plain && length <= maxInline {
		node.Style = yaml.FlowStyle
		return length
	}
	return maxInline + 1
}

// escaped is JSON in which every character that YAML does not allow is escaped; such ones stand in strings alone.
func escaped(text string) []byte {
	var b strings.Builder
	for _, r := range strings.TrimSuffix(text, "\n") {
		if breaks(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return []byte(b.String())
}

// breaks reports whether YAML would read a character as the end of a line, or not at all, unless it is escaped.
func breaks(r rune) bool {
	return r != '\n' && unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == '\ufffe' || r == '\uffff'
}

// Differences is rules.Differences without a campaign id that the newer one leaves to the server, and with times in UTC.
func Differences(older, newer *rules.Promotion) ([]rules.Difference, error) {
	a, b := inUTC(*older), inUTC(*newer)
	if b.CampaignID == 0 {
		b.CampaignID = a.CampaignID
	}
	return rules.Differences(&a, &b)
}

// inUTC is p as the server keeps it.
func inUTC(p rules.Promotion) rules.Promotion {
	if p.Schedule != nil {
		s := *p.Schedule
		if s.Start != nil {
			s.Start = new(s.Start.UTC())
		}
		if s.End != nil {
			s.End = new(s.End.UTC())
		}
		p.Schedule = &s
	}
	return p
}
