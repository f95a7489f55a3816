package rules

import (
	"cel.dev/cel-go/common/ast"
)

// spans finds what part of the text a node of the tree was written as. Parsers note one token for each node: the operator, the dot, the
// opening bracket. From there the tokens tell the rest.
type spans struct {
	text *sourceText
	info *ast.SourceInfo
}

// of is the whole expression.
func (s *spans) of(e ast.Expr) span {
	r, ok := s.info.GetOffsetRange(e.ID())
	if !ok {
		return s.children(e)
	}
	i := s.text.tokenAt(int(r.Start))
	if i >= len(s.text.tokens) {
		return span{len(s.text.runes), len(s.text.runes)}
	}
	tok := s.text.tokens[i]
	switch {
	case s.text.word(i) == "." || s.text.word(i) == "?" && s.text.word(i-1) == ".":
		name := i + 1
		if s.text.word(name) == "?" {
			name++
		}
		return s.join(s.text.primary(name), name)
	case tok.kind == tokenOpen:
		shut := tok.match
		if shut < 0 {
			shut = len(s.text.tokens) - 1
		}
		if list := e.Kind() == ast.ListKind || e.Kind() == ast.MapKind; list && r.Stop > r.Start {
			return s.join(i, shut)
		}
		return s.join(s.text.primary(shut), shut)
	case e.Kind() == ast.StructKind && i+1 < len(s.text.tokens) && s.text.tokens[i+1].match > 0:
		return s.join(i, s.text.tokens[i+1].match)
	case tok.kind == tokenOperator:
		return s.text.balance(merge(tok.span, s.children(e)))
	case s.text.word(i) == "in" && e.Kind() == ast.CallKind:
		return s.text.balance(merge(tok.span, s.children(e)))
	}
	return tok.span
}

// name is the part of a field selection or call that names what is selected or called, else the whole expression.
func (s *spans) name(e ast.Expr) span {
	r, ok := s.info.GetOffsetRange(e.ID())
	if !ok {
		return s.of(e)
	}
	i := s.text.tokenAt(int(r.Start))
	if i >= len(s.text.tokens) {
		return s.of(e)
	}
	switch word := s.text.word(i); {
	case word == "(" && e.Kind() == ast.SelectKind: // has(user.name)
		if shut := s.text.tokens[i].match; shut > 0 {
			return s.text.tokens[shut-1].span
		}
	case word == "(" && i > 0 && s.text.tokens[i-1].kind == tokenIdent:
		return s.text.tokens[i-1].span
	case word == "." || word == "?":
		for i++; i < len(s.text.tokens); i++ {
			if s.text.tokens[i].kind == tokenIdent {
				return s.text.tokens[i].span
			}
		}
	}
	return s.of(e)
}

// children is the extent of a node's direct parts.
func (s *spans) children(e ast.Expr) span {
	all := span{from: len(s.text.runes)}
	visit := func(parts ...ast.Expr) {
		for _, part := range parts {
			if part.Kind() != ast.UnspecifiedExprKind {
				all = merge(all, s.of(part))
			}
		}
	}
	switch e.Kind() {
	case ast.CallKind:
		if e.AsCall().IsMemberFunction() {
			visit(e.AsCall().Target())
		}
		visit(e.AsCall().Args()...)
	case ast.SelectKind:
		visit(e.AsSelect().Operand())
	case ast.ListKind:
		visit(e.AsList().Elements()...)
	}
	if all.from > all.to {
		return span{}
	}
	return all
}

func merge(a, b span) span { return span{min(a.from, b.from), max(a.to, b.to)} }

func (s *spans) join(first, last int) span {
	last = min(last, len(s.text.tokens)-1)
	if first < 0 || first > last {
		return span{}
	}
	return span{s.text.tokens[first].from, s.text.tokens[last].to}
}

// primary is the first token of the chain of selections, calls and indexings that ends with the token at last.
func (t *sourceText) primary(last int) int {
	first := last
	for first >= 0 && first < len(t.tokens) {
		tok := t.tokens[first]
		if tok.kind == tokenClose {
			if tok.match < 0 {
				return first
			}
			open := tok.match
			first = open
			if open == 0 {
				return first
			}
			before := t.tokens[open-1]
			switch t.word(open) {
			case "(":
				if before.kind != tokenIdent || t.word(open-1) == "in" {
					return first
				}
				first = open - 1
			case "[":
				if before.kind != tokenIdent && before.kind != tokenClose && before.kind != tokenString || t.word(open-1) == "in" {
					return first
				}
				first = open - 1
				continue
			case "{":
				if before.kind != tokenIdent || t.word(open-1) == "in" {
					return first
				}
				first = open - 1
			}
		}
		if t.word(first-1) == "?" && t.word(first-2) == "." {
			first -= 3
			continue
		}
		if t.word(first-1) != "." {
			return first
		}
		first -= 2
	}
	return max(first, 0)
}

// balance widens a span until no bracket in it has its partner outside.
func (t *sourceText) balance(s span) span {
	for i := t.tokenAt(s.from); i < len(t.tokens) && t.tokens[i].from < s.to; i++ {
		if m := t.tokens[i].match; m >= 0 {
			s = merge(s, t.tokens[m].span)
		}
	}
	for i := t.tokenAt(s.from); i < len(t.tokens) && t.tokens[i].from < s.to; i++ {
		if m := t.tokens[i].match; m >= 0 {
			s = merge(s, t.tokens[m].span)
		}
	}
	return s
}
