package rules

import (
	"os"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// TestSpansAreWhatTheAuthorWrote cuts the text of every node out of every example and parses it: it must be that node again.
func TestSpansAreWhatTheAuthorWrote(t *testing.T) {
	e := languageEnv(t)
	checked := 0
	for _, rule := range exampleRules(t) {
		parsed, failed := e.cel.Parse(rule)
		if failed.Err() != nil {
			continue
		}
		info := parsed.NativeRep().SourceInfo()
		text := newSourceText(rule)
		s := &spans{text: text, info: info}
		visitWritten(parsed.NativeRep().Expr(), info, func(node ast.Expr) {
			want, err := cel.ExprToString(node, info)
			if err != nil {
				return // part of what a macro wrote
			}
			at := s.of(node)
			cut := string(text.runes[at.from:at.to])
			again, failed := e.cel.Parse(cut)
			if failed.Err() != nil {
				t.Errorf("%s: node %s was cut out as %q, which does not parse", rule, want, cut)
				return
			}
			got, err := cel.AstToString(again)
			if err != nil || got != want {
				t.Errorf("%s: got %q for the node %q (%v)", rule, got, want, err)
			}
			checked++
		})
	}
	if checked < 500 {
		t.Errorf("only %d nodes were checked", checked)
	}
}

// visitWritten visits the nodes that stand in the text as themselves: not what macros wrote, nor literals that became something else.
func visitWritten(e ast.Expr, info *ast.SourceInfo, visit func(ast.Expr)) {
	if _, ok := info.GetMacroCall(e.ID()); ok {
		visit(e)
		return
	}
	visit(e)
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "_?._" {
		visitWritten(e.AsCall().Args()[0], info, visit)
		return
	}
	for _, part := range parts(e) {
		visitWritten(part, info, visit)
	}
}

// exampleRules are the rules of all example files.
func exampleRules(t testing.TB) []string {
	t.Helper()
	var rules []string
	for _, group := range readLanguage(t).Groups {
		for _, example := range group.Cases {
			rules = append(rules, example[1])
		}
	}
	text, err := os.ReadFile("testdata/check.txt")
	if err != nil {
		t.Fatal(err)
	}
	for block := range strings.SplitSeq(string(text), "\n\n") {
		if rule, ok := ruleOf(block); ok {
			rules = append(rules, rule)
		}
	}
	return rules
}

func TestPositionsCountCodePoints(t *testing.T) {
	text := newSourceText("aü\n𝄞b\r\nc")
	for _, tt := range []struct{ offset, line, column int }{{0, 1, 1}, {1, 1, 2}, {2, 1, 3}, {3, 2, 1}, {4, 2, 2}, {7, 3, 1}, {8, 3, 2}} {
		line, column := text.position(tt.offset)
		if line != tt.line || column != tt.column {
			t.Errorf("offset %d is at %d:%d, want %d:%d", tt.offset, line, column, tt.line, tt.column)
		}
		if back := text.offset(line, column-1); back != tt.offset {
			t.Errorf("%d:%d is offset %d, want %d", line, column, back, tt.offset)
		}
	}
}

func TestTokens(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"a.b == 'c'", "a|.|b|==|'c'"},
		{`r"\" + "x"`, `r"\"|+|"x"`},
		{`'it\'s' // 'no'`, `'it\'s'`},
		{`"""a"b""" rb'x'`, `"""a"b"""|rb'x'`},
		{"1.5e-3 + 0x1f - 2u", "1.5e-3|+|0x1f|-|2u"},
		{"m[?'k'].?f", "m|[|?|'k'|]|.|?|f"},
		{"bar('x') in r", "bar|(|'x'|)|in|r"},
		{"'open", "'open"},
		{"ünïcode <= 3", "ünïcode|<=|3"},
	} {
		text := newSourceText(tt.text)
		words := make([]string, len(text.tokens))
		for i := range words {
			words[i] = text.word(i)
		}
		if got := strings.Join(words, "|"); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}
