package rules

import (
	"errors"
	"regexp"
	"regexp/syntax"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Limits of regular expressions. Matching takes time in proportion to the compiled size of the pattern times the length of the text, so
// their product is bounded: to some hundred microseconds.
const (
	maxPatternSize = 100    // instructions
	maxMatchSteps  = 20_000 // instructions × bytes of the text
	maxPatterns    = 4096   // kept compiled by one environment
)

const (
	fnRegex         = "matches"
	overloadMatches = "text_matches"
)

// errPatternSize says that a pattern compiles to more than maxPatternSize instructions.
var errPatternSize = errors.New("pattern too large")

// errPattern is what matching a text that is too long for its pattern gives.
var errPattern = &failure{code: ReasonInvalidArgument, detail: fnRegex}

// pattern is a compiled regular expression and the longest text it may be asked about.
type pattern struct {
	expr     *regexp.Regexp
	size     int // instructions
	maxBytes int
}

func (p *pattern) match(text ref.Val) ref.Val {
	s, ok := text.(types.String)
	if !ok {
		return types.WrapErr(errOpaque)
	}
	if len(s) > p.maxBytes {
		return types.WrapErr(errPattern)
	}
	return types.Bool(p.expr.MatchString(string(s)))
}

func compilePattern(text string) (*pattern, error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	var refused *syntax.Error
	if errors.As(err, &refused) {
		switch refused.Code {
		case syntax.ErrInvalidRepeatSize, syntax.ErrLarge, syntax.ErrNestingDepth:
			return nil, errPatternSize
		}
	}
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	size := len(program.Inst)
	if size > maxPatternSize {
		return nil, errPatternSize
	}
	expr, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	return &pattern{expr: expr, size: size, maxBytes: maxMatchSteps / size}, nil
}

// patterns keeps the compiled patterns of an environment's rules. It is safe for concurrent use.
type patterns struct{ compiled table[*pattern] }

func newPatterns() *patterns { return &patterns{compiled: table[*pattern]{most: maxPatterns}} }

func (p *patterns) get(text string) (*pattern, error) {
	if found, ok := p.compiled.get(text); ok {
		return found, nil
	}
	made, err := compilePattern(text)
	if err != nil {
		return nil, err
	}
	p.compiled.put(text, made)
	return made, nil
}

// textFunctions is matches, in place of the library's: that one compiles at run time whatever it is given and matches text of any length.
func textFunctions(patterns *patterns) []cel.EnvOption {
	binding := cel.BinaryBinding(func(text, expr ref.Val) ref.Val {
		e, ok := expr.(types.String)
		if !ok {
			return types.WrapErr(errOpaque)
		}
		p, err := patterns.get(string(e))
		if err != nil {
			return types.WrapErr(errPattern)
		}
		return p.match(text)
	})
	args := []*types.Type{types.StringType, types.StringType}
	return []cel.EnvOption{cel.Function(fnRegex, cel.MemberOverload(overloadMatches, args, types.BoolType, binding))}
}
