package rules

import (
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// Rule is one compiled rule.
type Rule struct {
	source      string
	formula     formula
	readsSchema uint64
	reads       []read
	questions   []question
	mark        uint32 // a hash of the promotion's id: where blocks of an index are cut
}

// Eval says whether the rule is true for the input and until when time alone cannot change that.
func (r *Rule) Eval(in *Input) Verdict {
	holds, until, failed := r.formula.truth(in)
	return Verdict{True: holds, Until: until, Failed: failed}
}

// Why is Eval with the reason: for explanations, not for decisions.
func (r *Rule) Why(in *Input) Verdict {
	v := r.Eval(in)
	value, part, err := r.formula.why(in)
	if value == isTrue {
		return v
	}
	v.Part, v.Code = part, ReasonRuleFalse
	if value == isError {
		v.Code, v.Detail = classify(err)
	}
	return v
}

// ruleBuilder makes one Rule from its checked tree.
type ruleBuilder struct {
	env       *env
	checked   *ast.AST
	info      *ast.SourceInfo
	schema    *profile.Schema
	context   []ContextField
	retention time.Duration
	literals  int
	opaque    []ast.Expr            // uses of now without a computable edge
	exprs     map[*literal]ast.Expr // what each literal was made of
	origin    *origin               // of a rule that goes into force; nil when the tree stays in memory anyway
	whole     string                // the text of the whole rule, in which those of its parts are found
}

// rule checks and compiles a source; without a rule the issues say why.
func (c *Compiler) rule(env *env, source string) (*Rule, []Issue) {
	limits := checkLimits{retention: c.retention}
	checked := env.reread(source, limits)
	if checked == nil { // the check of authors says why, or finds nothing wrong after all
		tree, issues := env.check(source, limits)
		if tree == nil || Failed(issues) {
			return nil, issues
		}
		checked = tree.NativeRep()
	}
	b, f, err := buildFrom(source, env, checked, c.retention)
	if err != nil {
		return nil, []Issue{{Severity: SeverityError, Field: fieldRule, Line: 1, Column: 1, Code: "internal_limit", Message: "the rule cannot be planned"}}
	}
	return &Rule{
		source: source, formula: f, readsSchema: b.reads(checked.Expr()), reads: readsOf(env.schema, checked.Expr()), questions: b.questions(&f),
	}, nil
}

// buildRule makes the formula of a checked rule; the builder says what was found on the way.
func buildRule(env *env, checked *cel.Ast, retention time.Duration) (*ruleBuilder, formula, error) {
	return buildFrom("", env, checked.NativeRep(), retention)
}

// buildFrom is buildRule of a rule whose source is kept in place of its tree.
func buildFrom(source string, env *env, checked *ast.AST, retention time.Duration) (*ruleBuilder, formula, error) {
	b := &ruleBuilder{
		env: env, checked: checked, info: checked.SourceInfo(), schema: env.schema, context: env.context, retention: retention,
		exprs: make(map[*literal]ast.Expr),
	}
	if source != "" {
		b.origin = &origin{env: env, source: source, retention: retention}
	}
	f, err := b.decompose(checked.Expr(), true)
	return b, f, err
}

// reads is the newest schema version that an attribute or event type in e came with.
func (b *ruleBuilder) reads(e ast.Expr) uint64 {
	newest := uint64(1)
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(node ast.Expr) {
		if node.Kind() != ast.SelectKind {
			return
		}
		operand, name := node.AsSelect().Operand(), node.AsSelect().FieldName()
		path := name
		root := operand
		if operand.Kind() == ast.SelectKind {
			ident, above, ok := selection(operand)
			if !ok || ident != varUser {
				return
			}
			path, root = above+"."+name, nil
		}
		if root != nil && (root.Kind() != ast.IdentKind || root.AsIdent() != varUser && root.AsIdent() != varCatalog) {
			return
		}
		if root != nil && root.AsIdent() == varCatalog {
			if typ, ok := b.schema.EventType(name); ok {
				newest = max(newest, typ.Since)
			}
			return
		}
		if attr, ok := b.schema.Attribute(path); ok {
			newest = max(newest, attr.Since)
		}
		for _, slot := range b.schema.Nested(path) {
			newest = max(newest, b.schema.Attributes[slot].Since)
		}
	}))
	return newest
}

// streamCall recognises a function over the events of one type and says which.
func (b *ruleBuilder) streamCall(e ast.Expr) (slot int, overload string, ok bool) {
	if e.Kind() != ast.CallKind {
		return 0, "", false
	}
	overloads := b.checked.GetOverloadIDs(e.ID())
	args := e.AsCall().Args()
	if len(overloads) != 1 || len(args) == 0 || args[0].Kind() != ast.SelectKind {
		return 0, "", false
	}
	operand := args[0].AsSelect().Operand()
	if operand.Kind() != ast.IdentKind || operand.AsIdent() != varCatalog {
		return 0, "", false
	}
	typ, declared := b.schema.EventType(args[0].AsSelect().FieldName())
	if !declared {
		return 0, "", false
	}
	return typ.Slot, overloads[0], true
}

func (b *ruleBuilder) streamSlot(e ast.Expr) (int, bool) {
	slot, _, ok := b.streamCall(e)
	return slot, ok
}
