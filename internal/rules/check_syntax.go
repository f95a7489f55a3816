package rules

import (
	"strings"

	"cel.dev/cel-go/cel"
)

// syntax explains why a rule does not parse. What authors get wrong most is recognised in the tokens, because the parser often stumbles
// somewhere behind it; only when nothing is recognised do the parser's own positions count.
func (c *checking) syntax(errs []*cel.Error) {
	if c.limit(errs) {
		return
	}
	var first *cel.Error // of the parser itself
	for _, err := range errs {
		if _, _, _, ours := splitMacroError(err.Message); !ours && (first == nil || c.at(err) < c.at(first)) {
			first = err
		}
	}
	switch {
	case first == nil:
		for _, err := range errs {
			code, message, instead, _ := splitMacroError(err.Message)
			c.fault(c.argument(c.at(err)), code, instead, "%s", message)
		}
	case !c.slips():
		c.unexpected(c.at(first)) // those behind it mostly follow from it, as do those of macros
	}
}

func (c *checking) at(err *cel.Error) int {
	return c.text.offset(err.Location.Line(), err.Location.Column())
}

// limit reports that the parser gave up because of the size of the rule.
func (c *checking) limit(errs []*cel.Error) bool {
	for _, err := range errs {
		switch {
		case strings.HasPrefix(err.Message, macroErrorMark):
		case strings.Contains(err.Message, "recursion") || strings.Contains(err.Message, "depth"):
			c.fault(span{}, issueTooComplex, "", "the rule is nested too deeply: at most %d levels", maxRecursion)
			return true
		case strings.Contains(err.Message, "expression count") || strings.Contains(err.Message, "node count"):
			c.fault(span{}, issueTooComplex, "", "the rule has too many parts: at most %d", maxNodes)
			return true
		}
	}
	return false
}

// argument is the span of what an error of one of our macros is about: an argument, or the name of the function. Of either the parser gives
// one token.
func (c *checking) argument(at int) span {
	i := c.text.tokenAt(at)
	if i >= len(c.text.tokens) {
		return span{at, at}
	}
	tok := c.text.tokens[i]
	switch word := c.text.word(i); {
	case word == "(" && i > 0 && c.text.tokens[i-1].kind == tokenIdent:
		return c.text.tokens[i-1].span
	case word == "." && i+1 < len(c.text.tokens):
		return span{c.text.tokens[c.text.primary(i+1)].from, c.text.tokens[i+1].to}
	case word == "[" && tok.match > i:
		return span{c.text.tokens[c.text.primary(tok.match)].from, c.text.tokens[tok.match].to}
	default:
		return tok.span
	}
}

// words of other languages and what they are in a rule.
var foreignWords = map[string]string{
	"and": "&&", "AND": "&&", "And": "&&", "or": "||", "OR": "||", "Or": "||", "not": "!", "NOT": "!", "Not": "!", "is": "==", "IN": "in",
	"equals": "==", "TRUE": "true", "True": "true", "FALSE": "false", "False": "false",
}

var foreignOperators = map[string]string{"=": "==", "&": "&&", "|": "||"}

// slips looks for the usual slips in the tokens and reports whether there was one.
func (c *checking) slips() bool {
	t := c.text
	for i, tok := range t.tokens {
		word := t.word(i)
		switch {
		case tok.kind == tokenString && tok.open:
			c.fault(tok.span, issueSyntax, "add the closing quote", "the text that begins here does not end")
			return true
		case tok.kind == tokenOperator && strings.ContainsAny(word, "“”„‘’‚«»"):
			c.fault(tok.span, issueSyntax, "use straight quotes: ' or \"", "%s is not a quote of the rule language", word)
			return true
		case tok.kind == tokenOperator && word == "<" && t.word(i+1) == ">":
			c.fault(t.pair(i), issueSyntax, "use !=", "<> is not an operator of the rule language")
			return true
		case word == "=" && (t.word(i+1) == ">" || t.word(i+1) == "<"):
			c.fault(t.pair(i), issueSyntax, "use "+t.word(i+1)+"=", "=%s is not an operator of the rule language", t.word(i+1))
			return true
		case word == "==" && t.word(i+1) == "=":
			c.fault(t.pair(i), issueSyntax, "use ==", "=== is not an operator of the rule language")
			return true
		case tok.kind == tokenOperator && foreignOperators[word] != "":
			c.fault(tok.span, issueSyntax, "use "+foreignOperators[word], "%s is not an operator of the rule language", word)
			return true
		case tok.kind == tokenIdent && foreignWords[word] != "" && !c.partOfName(i):
			c.fault(tok.span, issueSyntax, "use "+foreignWords[word], "%s is not a word of the rule language", word)
			return true
		}
	}
	return c.brackets()
}

// partOfName reports whether the word is a field, or called or selected from, and so not an operator.
func (c *checking) partOfName(i int) bool {
	before, after := c.text.word(i-1), c.text.word(i+1)
	return before == "." || after == "." || after == "("
}

func (t *sourceText) pair(i int) span { return span{t.tokens[i].from, t.tokens[i+1].to} }

// brackets reports the first bracket without its partner.
func (c *checking) brackets() bool {
	for i, tok := range c.text.tokens {
		if tok.match >= 0 {
			continue
		}
		switch tok.kind {
		case tokenOpen:
			c.fault(tok.span, issueSyntax, "", "the %s that opens here is not closed", c.text.word(i))
			return true
		case tokenClose:
			c.fault(tok.span, issueSyntax, "", "nothing was opened that this %s closes", c.text.word(i))
			return true
		}
	}
	return false
}

func (c *checking) unexpected(at int) {
	i := c.text.tokenAt(at)
	if i >= len(c.text.tokens) {
		last := c.text.tokens[len(c.text.tokens)-1].span
		c.fault(last, issueSyntax, "", "the rule ends where more was expected")
		return
	}
	s := c.text.tokens[i].span
	c.fault(s, issueSyntax, "", "%s is not expected here", c.text.text(s))
}
