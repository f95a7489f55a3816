package rules

import (
	"fmt"
	"unicode/utf8"

	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
)

// newQuick is the parser of newEnv's options in its quicker make.
func (e *env) newQuick() (*parser.Parser, error) {
	p, err := parser.NewParser(
		parser.EnablePrattParser(true),
		parser.Macros(e.cel.Macros()...),
		parser.EnableOptionalSyntax(true),
		parser.PopulateMacroCalls(true),
		parser.EnableHiddenAccumulatorName(true),
		parser.ExpressionSizeCodePointLimit(maxCodePoints),
		parser.MaxRecursionDepth(maxRecursion),
		parser.ErrorRecoveryLimit(maxRecovery),
		parser.MaxExpressionNodeCount(maxNodes),
	)
	if err != nil {
		return nil, fmt.Errorf("make the quick parser: %w", err)
	}
	return p, nil
}

// reread is check for a rule that was published, and so checked, before: everything is looked at again, with the quick parser. It has no words for what is wrong:
// nil means that check has to look.
func (e *env) reread(source string, limits checkLimits) (tree *ast.AST) {
	c := &checking{env: e, limits: limits.withDefaults()}
	defer func() {
		if r := recover(); r != nil { // as in check
			tree = nil
		}
	}()
	quick, err := e.quick()
	if err != nil || !utf8.ValidString(source) || source == "" {
		return nil
	}
	types, err := e.diagnostic()
	if err != nil {
		return nil
	}
	text := common.NewTextSource(source)
	parsed, faults := quick.Parse(text)
	if len(faults.GetErrors()) > 0 || ast.NodeCount(parsed) > maxNodes {
		return nil
	}
	c.text = newSourceText(source)
	c.spans = &spans{text: c.text, info: parsed.SourceInfo()}
	if c.form(parsed); c.failed() {
		return nil
	}
	checked, faults := checker.Check(parsed, text, types)
	if len(faults.GetErrors()) > 0 {
		return nil
	}
	c.spans.info = checked.SourceInfo()
	if c.checked(checked); c.failed() {
		return nil
	}
	return checked
}
