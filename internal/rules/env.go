package rules

import (
	"fmt"
	"sync"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/ast"
	celenv "cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// env is the rule language of one project at one version of its schema and context. It is safe for concurrent use.
type env struct {
	cel      *cel.Env
	provider *fieldProvider
	schema   *profile.Schema
	context  []ContextField
	zones    *zones
	patterns *patterns
	atoms    *atomTable

	// diagnostic checks a rule that was refused once more, for the types that a message needs. It is made when first needed.
	diagnostic func() (*checker.Env, error)
	// quick parses what authors' checks have accepted before, some five times as fast as the parser that they use, whose messages are better. It is made when
	// first needed.
	quick func() (*parser.Parser, error)
}

// newEnv declares the language. It takes some 150 microseconds: make one for each ruleset, not for each rule.
func newEnv(schema *profile.Schema, context []ContextField) (*env, error) {
	e := &env{schema: schema, context: context, zones: newZones(), patterns: newPatterns(), atoms: newAtomTable()}
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(standardSubset())),
		cel.OptionalTypes(cel.OptionalTypesVersion(0)),
		cel.ClearMacros(),
		cel.Macros(languageMacros()...),
		cel.EnableMacroCallTracking(),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxCodePoints),
		cel.ParserRecursionLimit(maxRecursion),
		cel.ParserErrorRecoveryLimit(maxRecovery),
		cel.ExpressionNodeLimit(maxNodes),
		cel.Variable(varUser, userType),
		cel.Variable(varSubject, userType),
		cel.Variable(varRequest, requestType),
		cel.Variable(varCatalog, catalogType),
		cel.Variable(varProperties, propertiesType),
		cel.Variable(varChannel, types.StringType),
		cel.Variable(varNow, types.TimestampType),
	}
	options = append(options, plainFunctions()...)
	options = append(options, timeFunctions(e.zones)...)
	options = append(options, textFunctions(e.patterns)...)
	options = append(options, eventFunctions()...)
	base, err := cel.NewCustomEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("declare the rule language: %w", err)
	}
	e.provider = newFieldProvider(base.CELTypeProvider(), schema, context)
	// The provider is wrapped last: libraries register types with the provider that they find.
	if e.cel, err = base.Extend(cel.CustomTypeProvider(e.provider)); err != nil {
		return nil, fmt.Errorf("declare the project's schema: %w", err)
	}
	e.diagnostic, e.quick = sync.OnceValues(e.newDiagnostic), sync.OnceValues(e.newQuick)
	return e, nil
}

// standardSubset is CEL's standard library without dynamic types, bytes and unsigned numbers, which no attribute has, and without what this
// package replaces.
func standardSubset() *celenv.LibrarySubset {
	subset := celenv.NewLibrarySubset().SetDisableMacros(true).AddExcludedFunctions(
		celenv.NewFunction("dyn"), celenv.NewFunction("type"), celenv.NewFunction("bytes"), celenv.NewFunction("uint"),
		celenv.NewFunction(fnRegex),
	)
	for id, function := range libraryZoneOverloads {
		subset.AddExcludedFunctions(celenv.NewFunction(function, celenv.NewOverload(id, nil, nil)))
	}
	return subset
}

func (e *env) newDiagnostic() (*checker.Env, error) {
	d, err := checker.NewEnv(e.cel.Container, e.provider, checker.CrossTypeNumericComparisons(true))
	if err != nil {
		return nil, err
	}
	if err := d.AddIdents(e.cel.Variables()...); err != nil {
		return nil, err
	}
	for _, function := range e.cel.Functions() {
		if function.IsDeclarationDisabled() {
			continue
		}
		if err := d.AddFunctions(function); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// program plans a checked rule, or part of one, for evaluation: as fast as the interpreter can, with nothing noted on the way.
func (e *env) program(checked *ast.AST) (cel.Program, error) {
	return e.plan(checked, cel.EvalOptions(cel.OptOptimize), constantCalls(e.patterns))
}

// explainProgram plans a checked rule for people: every branch is evaluated, and the value of every sub-expression is kept by its node id.
// The answer is that of program. It is several times slower.
func (e *env) explainProgram(checked *ast.AST) (cel.Program, error) {
	return e.plan(checked, cel.EvalOptions(cel.OptExhaustiveEval, cel.OptTrackState))
}

// subProgram plans one sub-expression of a checked rule with the types and references that were found for the whole.
func (e *env) subProgram(root *ast.AST, expr ast.Expr) (cel.Program, error) {
	return e.program(subAST(root, expr))
}

func subAST(whole *ast.AST, expr ast.Expr) *ast.AST {
	return ast.NewCheckedAST(ast.NewAST(expr, whole.SourceInfo()), whole.TypeMap(), whole.ReferenceMap())
}

// plan turns a panic of the planner into an error: rules come from outside.
func (e *env) plan(checked *ast.AST, options ...cel.ProgramOption) (program cel.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			program, err = nil, fmt.Errorf("plan a rule: %v", r)
		}
	}()
	return e.cel.PlanProgram(checked, options...)
}
