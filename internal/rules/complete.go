package rules

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"eligibility/internal/profile"
)

// maxCompletions bounds one answer.
const maxCompletions = 200

// CompletionKind says what a completion is, for the icon beside it.
type CompletionKind string

// The kinds.
const (
	CompleteVariable  CompletionKind = "variable"
	CompleteAttribute CompletionKind = "attribute"
	CompleteFunction  CompletionKind = "function"
	CompleteEventType CompletionKind = "eventType"
	CompleteProperty  CompletionKind = "property"
	CompleteValue     CompletionKind = "value"
)

// Completion is one way to go on with a rule.
type Completion struct {
	Label  string         `json:"label"`
	Kind   CompletionKind `json:"kind"`
	Detail string         `json:"detail,omitempty"` // a type, a form, how often a value was seen
	Insert string         `json:"insert"`           // replaces the text from Completions.From to the position
}

// Completions are the ways to go on at a position.
type Completions struct {
	From  int          `json:"from"` // where the word that is being written begins, in code points
	Items []Completion `json:"items"`
}

// Complete says how a rule can go on at a position, in code points from its beginning. The rule need not check, nor even parse: only the text
// before the position is looked at.
func (s *Service) Complete(ctx context.Context, project, rule string, position int) (*Completions, error) {
	if !utf8.ValidString(rule) || utf8.RuneCountInString(rule) > maxCodePoints {
		return nil, &FieldError{Field: fieldRule, Message: fmt.Sprintf("a rule has at most %d characters of UTF-8", maxCodePoints)}
	}
	text := []rune(rule)
	if position < 0 || position > len(text) {
		return nil, &FieldError{Field: "position", Message: "a position is a number of characters, from 0 to the length of the rule"}
	}
	f, err := s.frame(ctx, project)
	if err != nil {
		return nil, err
	}
	c := newCompleting(f, string(text[:position]))
	c.users = s.sampled(ctx, f, waitToCheck)
	return c.run(), nil
}

// completing looks at the end of a text that somebody is writing.
type completing struct {
	frame *frame
	text  *sourceText
	users *sample // nil: no values are offered
	word  string  // what was written of the word so far
	out   Completions
}

func newCompleting(f *frame, before string) *completing {
	return &completing{frame: f, text: newSourceText(before), out: Completions{Items: []Completion{}}}
}

func (c *completing) run() *Completions {
	end := len(c.text.runes)
	c.out.From = end
	last := len(c.text.tokens) - 1
	if last >= 0 && c.text.tokens[last].to == end || last >= 0 && c.text.tokens[last].open {
		switch tok := c.text.tokens[last]; {
		case tok.kind == tokenString && tok.open:
			c.begin(min(c.text.quoteAt(tok.from)+1, end))
			c.inText(last)
			return &c.out
		case tok.kind == tokenString, tok.kind == tokenNumber:
			return &c.out
		case tok.kind == tokenIdent:
			c.begin(tok.from)
			last--
		}
	}
	switch {
	case c.text.word(last) == ".":
		c.after(last)
	case c.text.word(last) == "?" && c.text.word(last-1) == ".":
		c.after(last - 1)
	case last < 0 || !c.text.endsValue(last):
		c.start(last)
	}
	return &c.out
}

// begin notes that the word being written starts at an offset.
func (c *completing) begin(at int) {
	c.out.From, c.word = at, string(c.text.runes[at:])
}

// endsValue reports whether a value ends with the token, so that only an operator can follow.
func (t *sourceText) endsValue(i int) bool {
	switch t.tokens[i].kind {
	case tokenNumber, tokenString, tokenClose:
		return true
	case tokenIdent:
		return t.word(i) != "in"
	}
	return false
}

// offer adds a completion if it fits.
func (c *completing) offer(kind CompletionKind, label, detail, insert string) {
	if c.fits(label) && len(c.out.Items) < maxCompletions {
		c.out.Items = append(c.out.Items, Completion{Label: label, Kind: kind, Detail: detail, Insert: insert})
	}
}

// start is where a value can begin.
func (c *completing) start(last int) {
	for _, v := range [][2]string{
		{varUser, "the user's attributes"},
		{varEvents, "what the user did"},
		{varRequest, "what the app says"},
		{varChannel, "where the message goes"},
		{varNow, "the time"},
	} {
		c.offer(CompleteVariable, v[0], v[1], v[0])
	}
	for _, loop := range c.loops(last) {
		c.offer(CompleteVariable, loop.variable, "an event of type "+loop.event, loop.variable)
	}
	for _, function := range [][2]string{
		{"has(user.name)", "has("},
		{"days(7)", "days("},
		{"hours(24)", "hours("},
		{"duration('90m')", "duration('"},
		{"timestamp('2026-06-15T00:00:00Z')", "timestamp('"},
		{"version('5.2.0')", "version("},
		{"bucket('salt')", "bucket('"},
		{"size(list)", "size("},
	} {
		name, _, _ := strings.Cut(function[0], "(")
		c.offer(CompleteFunction, name, function[0], function[1])
	}
	if c.word == "" {
		return
	}
	// A name that stands below user or request, written without it.
	for i := range c.frame.schema.Attributes {
		c.bare(varUser, c.frame.schema.Attributes[i].Name, c.frame.schema.Attributes[i].Type)
	}
	for _, field := range c.frame.context {
		c.bare(varRequest, field.Name, field.Type)
	}
}

func (c *completing) bare(root, name string, typ profile.Type) {
	if c.fits(name) {
		c.offer(CompleteAttribute, root+"."+name, typ.String(), root+"."+name)
	}
}

// fits reports whether a name, or a part of a dotted one, begins with what was written.
func (c *completing) fits(name string) bool {
	folded, word := strings.ToLower(name), strings.ToLower(c.word)
	return strings.HasPrefix(folded, word) || strings.Contains(folded, "."+word)
}

// after is behind the dot at a token.
func (c *completing) after(dot int) {
	chain := c.text.chain(dot - 1)
	if len(chain) == 0 {
		return
	}
	path := strings.Join(chain[1:], ".")
	switch root := chain[0]; {
	case root == varEvents && path == "":
		for _, name := range eventNames() {
			c.offer(CompleteFunction, name, eventForms[name], name+"('")
		}
	case root == varUser:
		if attr, ok := c.frame.schema.Attribute(path); ok {
			c.methods(attr.Type)
			return
		}
		if path == "" {
			c.offer(CompleteAttribute, "id", profile.String.String(), "id")
		}
		for i := range c.frame.schema.Attributes {
			c.below(path, c.frame.schema.Attributes[i].Name, c.frame.schema.Attributes[i].Type)
		}
	case root == varRequest:
		for _, field := range c.frame.context {
			if field.Name == path {
				c.methods(field.Type)
				return
			}
			c.below(path, field.Name, field.Type)
		}
	case root == varNow && path == "":
		c.methods(profile.Type{Kind: profile.Timestamp})
	default:
		c.ofLoop(dot, root, path)
	}
}

// below offers what follows the prefix in a dotted name: one step of it, once.
func (c *completing) below(prefix, name string, typ profile.Type) {
	rest := name
	if prefix != "" {
		var ok bool
		if rest, ok = strings.CutPrefix(name, prefix+"."); !ok {
			return
		}
	}
	step, more, nested := strings.Cut(rest, ".")
	detail := typ.String()
	if nested {
		detail = "has " + more + " and more below it"
	}
	if !slices.ContainsFunc(c.out.Items, func(i Completion) bool { return i.Label == step }) {
		c.offer(CompleteAttribute, step, detail, step)
	}
}

// methods offers what can be asked of a value of the type.
func (c *completing) methods(typ profile.Type) {
	var names []string
	switch {
	case typ.Shape != profile.Scalar:
		names = []string{"exists(x, x == …)", "all(x, x == …)", "size()"}
	case typ.Kind == profile.String:
		names = []string{"startsWith('…')", "endsWith('…')", "contains('…')", "matches('…')", "size()"}
	case typ.Kind == profile.Timestamp:
		names = []string{
			"getHours('Europe/Berlin')", "getDayOfWeek('Europe/Berlin')", "getDate('Europe/Berlin')", "getMonth('Europe/Berlin')",
			"getFullYear('Europe/Berlin')", "getMinutes('Europe/Berlin')",
		}
	}
	for _, form := range names {
		name, args, _ := strings.Cut(form, "(")
		insert := name + "("
		if strings.HasPrefix(args, "'") {
			insert += "'"
		}
		c.offer(CompleteFunction, name, form, insert)
	}
}
