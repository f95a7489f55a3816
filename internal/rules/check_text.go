package rules

import (
	"slices"
	"sort"
	"unicode"
)

// sourceText is a rule's text cut into tokens, which is what positions are computed from: the parser knows where an operator stands, but an
// author wants the expression marked. All offsets count code points.
type sourceText struct {
	runes  []rune
	lines  []int // offset of the first character of each line
	tokens []token
}

type tokenKind uint8

const (
	tokenIdent tokenKind = iota + 1
	tokenNumber
	tokenString
	tokenOpen  // ( [ {
	tokenClose // ) ] }
	tokenOperator
)

type token struct {
	span
	kind  tokenKind
	match int  // of a bracket: the index of its partner, or -1
	open  bool // a string without its closing quote
}

// span is the code points [from, to).
type span struct{ from, to int }

func newSourceText(text string) *sourceText {
	t := &sourceText{runes: []rune(text), lines: []int{0}}
	for i, r := range t.runes {
		if r == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	var brackets []int
	for at := 0; at < len(t.runes); {
		tok, ok := t.scan(at)
		at = tok.to
		if !ok {
			continue
		}
		switch tok.kind {
		case tokenOpen:
			brackets = append(brackets, len(t.tokens))
		case tokenClose:
			if n := len(brackets); n > 0 && closes(t.runes[t.tokens[brackets[n-1]].from], t.runes[tok.from]) {
				tok.match = brackets[n-1]
				t.tokens[tok.match].match = len(t.tokens)
				brackets = brackets[:n-1]
			}
		}
		t.tokens = append(t.tokens, tok)
	}
	return t
}

func closes(open, shut rune) bool {
	return open == '(' && shut == ')' || open == '[' && shut == ']' || open == '{' && shut == '}'
}

// operators of two characters; all others have one.
var longOperators = []string{"&&", "||", "==", "!=", "<=", ">="}

// scan reads the token at an offset; it is not ok for blanks and comments.
func (t *sourceText) scan(at int) (tok token, ok bool) {
	tok = token{span: span{at, at + 1}, match: -1}
	r := t.runes[at]
	switch {
	case unicode.IsSpace(r):
		return tok, false
	case r == '/' && t.peek(at+1) == '/':
		for tok.to < len(t.runes) && t.runes[tok.to] != '\n' {
			tok.to++
		}
		return tok, false
	case t.quoteAt(at) >= 0:
		tok.kind = tokenString
		tok.to, tok.open = t.stringEnd(at)
	case r == '_' || unicode.IsLetter(r):
		tok.kind = tokenIdent
		tok.to = t.skip(at, func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) })
	case unicode.IsDigit(r):
		tok.kind = tokenNumber
		tok.to = t.numberEnd(at)
	case r == '(' || r == '[' || r == '{':
		tok.kind = tokenOpen
	case r == ')' || r == ']' || r == '}':
		tok.kind = tokenClose
	default:
		tok.kind = tokenOperator
		if slices.Contains(longOperators, string([]rune{r, t.peek(at + 1)})) {
			tok.to++
		}
	}
	return tok, true
}

func (t *sourceText) peek(at int) rune {
	if at < 0 || at >= len(t.runes) {
		return 0
	}
	return t.runes[at]
}

func (t *sourceText) skip(at int, in func(rune) bool) int {
	for at < len(t.runes) && in(t.runes[at]) {
		at++
	}
	return at
}

// quoteAt is the offset of the opening quote when a string begins here, with a prefix such as r or b; else -1.
func (t *sourceText) quoteAt(at int) int {
	if at > 0 {
		if before := t.runes[at-1]; before == '_' || unicode.IsLetter(before) || unicode.IsDigit(before) {
			return -1
		}
	}
	for i := at; i <= at+2; i++ {
		switch t.peek(i) {
		case '\'', '"':
			return i
		case 'r', 'R', 'b', 'B':
		default:
			return -1
		}
	}
	return -1
}

// stringEnd is where the string that begins at an offset ends, and whether it lacks its closing quote.
func (t *sourceText) stringEnd(at int) (end int, open bool) {
	first := t.quoteAt(at)
	raw := slices.ContainsFunc(t.runes[at:first], func(r rune) bool { return r == 'r' || r == 'R' })
	quote, width := t.runes[first], 1
	if t.peek(first+1) == quote && t.peek(first+2) == quote {
		width = 3
	}
	for i := first + width; i < len(t.runes); i++ {
		switch {
		case t.runes[i] == '\\' && !raw:
			i++
		case t.runes[i] == '\n' && width == 1:
			return i, true
		case t.runes[i] == quote && (width == 1 || t.peek(i+1) == quote && t.peek(i+2) == quote):
			return i + width, false
		}
	}
	return len(t.runes), true
}

func (t *sourceText) numberEnd(at int) int {
	word := func(r rune) bool { return unicode.IsDigit(r) || unicode.IsLetter(r) }
	end := t.skip(at, word)
	if t.peek(end) == '.' && unicode.IsDigit(t.peek(end+1)) {
		end = t.skip(end+1, word)
	}
	if last := t.peek(end - 1); (last == 'e' || last == 'E') && (t.peek(end) == '-' || t.peek(end) == '+') {
		end = t.skip(end+1, unicode.IsDigit)
	}
	return end
}

// position is the line and column, both from 1, of an offset.
func (t *sourceText) position(at int) (line, column int) {
	line = sort.SearchInts(t.lines, at+1)
	return line, at - t.lines[line-1] + 1
}

// offset is the inverse of position for the parser's lines from 1 and columns from 0; what lies outside becomes the nearest end of the
// text.
func (t *sourceText) offset(line, column int) int {
	if line < 1 || column < 0 {
		return 0
	}
	if line > len(t.lines) {
		return len(t.runes)
	}
	return min(t.lines[line-1]+column, len(t.runes))
}

// text is the source in a span, shortened so that a message stays readable.
func (t *sourceText) text(s span) string {
	const limit = 40
	if s.from < 0 || s.to > len(t.runes) || s.from > s.to {
		return ""
	}
	if s.to-s.from > limit {
		return string(t.runes[s.from:s.from+limit]) + "…"
	}
	return string(t.runes[s.from:s.to])
}

// word is the source of a token.
func (t *sourceText) word(i int) string {
	if i < 0 || i >= len(t.tokens) {
		return ""
	}
	return string(t.runes[t.tokens[i].from:t.tokens[i].to])
}

// tokenAt is the index of the token that an offset lies in or, between two, of the next one; it may be len(tokens).
func (t *sourceText) tokenAt(offset int) int {
	return sort.Search(len(t.tokens), func(i int) bool { return t.tokens[i].to > offset })
}
