package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"eligibility/internal/profile"
)

func eventNames() []string { return slices.Sorted(maps.Keys(eventForms)) }

// chain is the names of the selection that ends with the token at last: user, address, city. It is empty for anything but names.
func (t *sourceText) chain(last int) []string {
	var names []string
	for i := last; i >= 0 && t.tokens[i].kind == tokenIdent; i-- {
		names = append(names, t.word(i))
		if t.word(i-1) == "?" && t.word(i-2) == "." {
			i--
		}
		if t.word(i-1) != "." {
			slices.Reverse(names)
			return names
		}
		i--
	}
	return nil
}

// openCall is a call of an event function whose brackets are still open, and how far it was written.
type openCall struct {
	function string
	event    string // its first argument, "" while that is missing
	argument int    // number of the argument being written, from 0
	variable string // of its condition
}

// calls are the open calls of event functions around the end of the first n tokens, outermost first.
func (c *completing) calls(n int) []openCall {
	var out []openCall
	t := c.text
	for i := range n {
		if t.tokens[i].kind != tokenOpen || t.tokens[i].match >= 0 && t.tokens[i].match < n || i < 3 {
			continue
		}
		if t.word(i) != "(" || t.word(i-2) != "." || t.word(i-3) != varEvents {
			continue
		}
		call := openCall{function: t.word(i - 1)}
		first := i + 1
		for j := i + 1; j < n; j++ {
			switch {
			case t.tokens[j].kind == tokenOpen && t.tokens[j].match > j && t.tokens[j].match < n:
				j = t.tokens[j].match
			case t.word(j) == ",":
				call.argument++
				first = j + 1
			case j == first && call.argument == 0 && t.tokens[j].kind == tokenString && !t.tokens[j].open:
				call.event = t.string(j)
			case j == first && t.tokens[j].kind == tokenIdent && t.word(j+1) == "," && j+1 < n:
				call.variable = t.word(j)
			}
		}
		out = append(out, call)
	}
	return out
}

// string is the text in the quotes of a token.
func (t *sourceText) string(i int) string {
	return strings.Trim(t.word(i), `'"`)
}

// eventLoop is the variable of an event condition that is being written.
type eventLoop struct{ variable, event string }

func (c *completing) loops(last int) []eventLoop {
	var out []eventLoop
	for _, call := range c.calls(last + 1) {
		if call.variable != "" && call.event != "" {
			out = append(out, eventLoop{call.variable, call.event})
		}
	}
	return out
}

// ofLoop offers the properties of the event that a variable stands for.
func (c *completing) ofLoop(dot int, variable, path string) {
	for _, l := range c.loops(dot) {
		typ, ok := c.frame.schema.EventType(l.event)
		if l.variable != variable || !ok {
			continue
		}
		if property, ok := typ.Property(path); ok {
			c.methods(property.Type)
			return
		}
		if path != "" {
			return
		}
		for i := range typ.Properties {
			c.offer(CompleteProperty, typ.Properties[i].Name, typ.Properties[i].Type.String(), typ.Properties[i].Name)
		}
		c.offer(CompleteProperty, "occurredAt", profile.Timestamp.String(), "occurredAt")
		return
	}
}

// inText is inside of a text, whose token is at i: an event type, a property, or a value to compare with.
func (c *completing) inText(i int) {
	quote := string(c.text.runes[c.text.quoteAt(c.text.tokens[i].from)])
	calls := c.calls(i)
	before := c.text.word(i - 1)
	if n := len(calls); n > 0 && (before == "(" || before == ",") {
		switch call := calls[n-1]; {
		case call.argument == 0:
			for j := range c.frame.schema.EventTypes {
				typ := &c.frame.schema.EventTypes[j]
				c.offer(CompleteEventType, typ.Name, fmt.Sprintf("%d properties", len(typ.Properties)), typ.Name+quote)
			}
			return
		case call.argument == 1 && slices.Contains(aggregates, call.function):
			c.numbers(call.event, quote)
			return
		}
	}
	c.values(i, quote)
}

// numbers offers the numeric properties of an event type.
func (c *completing) numbers(event, quote string) {
	typ, ok := c.frame.schema.EventType(event)
	if !ok {
		return
	}
	for i := range typ.Properties {
		if p := &typ.Properties[i]; p.Type.Kind == profile.Int || p.Type.Kind == profile.Double {
			c.offer(CompleteProperty, p.Name, p.Type.String(), p.Name+quote)
		}
	}
}

// values offers what the text whose token is at i is compared with holds among the users of the sample, the most common first.
func (c *completing) values(i int, quote string) {
	at := i - 1
	for at >= 0 && (c.text.tokens[at].kind == tokenString || c.text.word(at) == ",") { // the list before it
		at--
	}
	if c.text.word(at) == "[" {
		at--
	}
	if op := c.text.word(at); op != "==" && op != "!=" && op != "in" {
		return
	}
	chain := c.text.chain(at - 1)
	if len(chain) == 0 {
		return
	}
	if chain[0] == varChannel && len(chain) == 1 {
		for _, channel := range profile.Channels {
			c.offer(CompleteValue, channel, "", channel+quote)
		}
		return
	}
	seen := c.seen(chain, at)
	for _, value := range slices.SortedFunc(maps.Keys(seen), func(a, b string) int { return cmp.Or(seen[b]-seen[a], strings.Compare(a, b)) }) {
		escaped := strings.NewReplacer(`\`, `\\`, quote, `\`+quote).Replace(value)
		c.offer(CompleteValue, value, fmt.Sprintf("seen %d times among %d users", seen[value], len(c.users.users)), escaped+quote)
	}
}

// seen counts the values of an attribute or of a property of a loop's event.
func (c *completing) seen(chain []string, at int) map[string]int {
	if c.users == nil {
		return nil
	}
	path := strings.Join(chain[1:], ".")
	if chain[0] == varUser {
		if attr, ok := c.frame.schema.Attribute(path); ok && attr.Type.Kind == profile.String && attr.Type.Shape != profile.Map {
			return listed(func(count func(string)) { countAttribute(c.users, attr, count) })
		}
		return nil
	}
	for _, l := range c.loops(at) {
		typ, ok := c.frame.schema.EventType(l.event)
		if l.variable != chain[0] || !ok {
			continue
		}
		if property, ok := typ.Property(path); ok && property.Type.Kind == profile.String {
			return listed(func(count func(string)) { countProperty(c.users, typ, property, count) })
		}
	}
	return nil
}
