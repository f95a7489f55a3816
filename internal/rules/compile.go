package rules

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"eligibility/internal/profile"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// Compiler makes rulesets. It keeps the last environment it made, since publishes of one project come in a row. Safe for concurrent use.
type Compiler struct {
	retention time.Duration

	mu   sync.Mutex
	last *envKey // guarded by mu
}

// compileTurn is after how many promotions a compilation lets others run: on few cores, those who wait for a decision would wait for the whole of it.
const compileTurn = 32

type envKey struct {
	schema  *profile.Schema
	context []ContextField
	env     *env
}

// NewCompiler makes a compiler for a store that keeps user events for retention: no rule may look back further.
func NewCompiler(retention time.Duration) *Compiler { return &Compiler{retention: retention} }

// Compile makes the ruleset of spec. What prev has compiled already is taken over, so that publishing one promotion compiles one. A promotion that does
// not compile is quarantined: its revision in prev stays in force, and the rest of the version, pauses above all, applies.
func (c *Compiler) Compile(spec *Spec, prev *Ruleset) (*Ruleset, error) {
	env, err := c.env(spec.Schema, spec.Context)
	if err != nil {
		return nil, fmt.Errorf("make the environment of project %s: %w", spec.Project, err)
	}
	rs := &Ruleset{
		Project: spec.Project, Version: spec.Version, AsOf: spec.AsOf, Settings: spec.Settings, Schema: spec.Schema, Context: spec.Context,
		Retention: int64(c.retention), placements: make(map[int32]int), promotions: make(map[string]int, len(spec.Promotions)),
		context: make(map[string]int), Promotions: make([]*Compiled, 0, len(spec.Promotions)),
	}
	for slot, field := range spec.Context {
		rs.context[field.Name] = slot
	}
	for i, p := range spec.Placements {
		rs.placements[p.Placement] = i
		rs.Placements = append(rs.Placements, PlacementTable{Placement: p})
	}
	same := prev != nil && prev.Schema.Version == spec.Schema.Version && slices.Equal(prev.Context, spec.Context)
	for i, r := range c.all(env, spec, prev, same) {
		if i%compileTurn == compileTurn-1 {
			runtime.Gosched()
		}
		if r.quarantine != nil {
			rs.Quarantined = append(rs.Quarantined, *r.quarantine)
		}
		if r.compiled != nil {
			rs.add(r.compiled)
		}
	}
	for i := range rs.Placements {
		slices.SortFunc(rs.Placements[i].Candidates, byRank)
	}
	rs.makeIndex(prev)
	return rs, nil
}

func (c *Compiler) promotion(env *env, live *LivePromotion, prev *Ruleset, same bool) compiledOrNot {
	old, hadOld := (*Compiled)(nil), false
	if prev != nil {
		old, hadOld = prev.Promotion(live.Promotion.ID)
	}
	if hadOld && same && old.Revision == live.Revision && old.Rule.source == live.Promotion.Rule {
		return compiledOrNot{compiled: old.withPause(live.Paused)}
	}
	rule, issues := c.rule(env, live.Promotion.Rule)
	if rule == nil {
		q := &Quarantine{Promotion: live.Promotion.ID, Revision: live.Revision, Issues: issues}
		if !hadOld {
			return compiledOrNot{quarantine: q}
		}
		q.KeptOld = old.Revision
		return compiledOrNot{compiled: old.withPause(live.Paused), quarantine: q}
	}
	rule.mark = textHash(live.Promotion.ID)
	out := &Compiled{Promotion: live.Promotion, Revision: live.Revision, Paused: live.Paused, Rule: rule}
	if s := live.Promotion.Schedule; s != nil {
		out.Start, out.End = wallNanos(s.Start), wallNanos(s.End)
	}
	out.render()
	return compiledOrNot{compiled: out}
}

func (c *Compiled) withPause(paused bool) *Compiled {
	if c.Paused == paused {
		return c
	}
	out := *c
	out.Paused = paused
	return &out
}

func wallNanos(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixNano()
}

func (rs *Ruleset) add(c *Compiled) {
	rs.ReadsSchema = max(rs.ReadsSchema, c.Rule.readsSchema)
	rs.promotions[c.ID] = len(rs.Promotions)
	rs.Promotions = append(rs.Promotions, c)
	for i, target := range c.Placements {
		at, ok := rs.placements[target.Placement]
		if !ok {
			continue // the placement was never declared: nothing asks for it
		}
		table := &rs.Placements[at]
		table.Candidates = append(table.Candidates, c.candidate(i))
	}
}

func byRank(x, y Candidate) int {
	if x.Priority != y.Priority {
		return int(x.Priority) - int(y.Priority)
	}
	if x.Promotion.ID < y.Promotion.ID {
		return -1
	}
	return 1
}

func (c *Compiler) env(schema *profile.Schema, context []ContextField) (*env, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.last; k != nil && k.schema == schema && slices.Equal(k.context, context) {
		return k.env, nil
	}
	made, err := newEnv(schema, context)
	if err != nil {
		return nil, err
	}
	c.last = &envKey{schema: schema, context: slices.Clone(context), env: made}
	return made, nil
}

// Rule is one compiled rule.
type Rule struct {
	source      string
	formula     formula
	readsSchema uint64
	axes        []axisKey // that the formula can be screened on
	mark        uint32    // a hash of the promotion's id: where blocks of an index are cut
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
	checked   *cel.Ast
	info      *ast.SourceInfo
	schema    *profile.Schema
	context   []ContextField
	retention time.Duration
	literals  int
	opaque    []ast.Expr            // uses of now without a computable edge
	exprs     map[*literal]ast.Expr // what each literal was made of
}

// rule checks and compiles a source; without a rule the issues say why.
func (c *Compiler) rule(env *env, source string) (*Rule, []Issue) {
	checked, issues := env.check(source, checkLimits{retention: c.retention})
	if checked == nil || Failed(issues) {
		return nil, issues
	}
	b, f, err := buildRule(env, checked, c.retention)
	if err != nil {
		return nil, []Issue{{Severity: SeverityError, Field: fieldRule, Line: 1, Column: 1, Code: "internal_limit", Message: "the rule cannot be planned"}}
	}
	return &Rule{
		source: source, formula: f, readsSchema: b.reads(checked.NativeRep().Expr()), axes: axesOf(&f),
	}, nil
}

// buildRule makes the formula of a checked rule; the builder says what was found on the way.
func buildRule(env *env, checked *cel.Ast, retention time.Duration) (*ruleBuilder, formula, error) {
	b := &ruleBuilder{
		env: env, checked: checked, info: checked.NativeRep().SourceInfo(), schema: env.schema, context: env.context, retention: retention,
		exprs: make(map[*literal]ast.Expr),
	}
	f, err := b.decompose(checked.NativeRep().Expr(), true)
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
	overloads := b.checked.NativeRep().GetOverloadIDs(e.ID())
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
