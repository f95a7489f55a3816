package rules

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"eligibility/internal/profile"
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
		Retention: int64(c.retention), live: spec.Promotions, placements: make(map[int32]int), context: make(map[string]int),
	}
	rs.sending, rs.ReadsSchema = projectSending(spec.Schema, &spec.Settings)
	rs.zones = env.zones
	for slot, field := range spec.Context {
		rs.context[field.Name] = slot
	}
	for i, p := range spec.Placements {
		rs.placements[p.Placement] = i
		rs.Placements = append(rs.Placements, PlacementTable{Placement: p})
	}
	same := prev != nil && prev.Schema.Version == spec.Schema.Version && slices.Equal(prev.Context, spec.Context)
	if !same || !c.succeed(rs, env, prev) {
		c.fill(rs, env, prev, same)
	}
	rs.renderProofs()
	return rs, nil
}

// fill compiles all promotions, with what prev has of them.
func (c *Compiler) fill(rs *Ruleset, env *env, prev *Ruleset, same bool) {
	compiled := make([]*Compiled, 0, rs.live.Len())
	for _, r := range c.all(env, slices.Collect(rs.live.All()), prev, same) {
		if r.quarantine != nil {
			rs.Quarantined = append(rs.Quarantined, *r.quarantine)
		}
		if r.compiled != nil {
			rs.ReadsSchema = max(rs.ReadsSchema, r.compiled.reads)
			compiled = append(compiled, r.compiled)
		}
	}
	rs.Promotions = NewRoll(compiled...)
	rs.makeIndex(prev, workersBeside(prev))
}

func (c *Compiler) promotion(env *env, live *LivePromotion, prev *Ruleset, same bool) compiledOrNot {
	old, hadOld := (*Compiled)(nil), false
	if prev != nil {
		old, hadOld = prev.Promotion(live.Promotion.ID)
	}
	if hadOld && same && old.Revision == live.Revision && old.Rule.source == live.Promotion.Rule {
		return compiledOrNot{compiled: old.withPause(live.Paused)}
	}
	var rule *Rule
	var issues []Issue
	if hadOld && same && old.Rule.source == live.Promotion.Rule {
		rule = old.Rule
	} else {
		rule, issues = c.rule(env, live.Promotion.Rule)
	}
	var sending *Sending
	var reads uint64
	if rule != nil {
		if sending, reads, issues = c.promotionSending(env, live.Promotion); Failed(issues) {
			rule = nil
		}
	}
	if rule == nil {
		q := &Quarantine{Promotion: live.Promotion.ID, Revision: live.Revision, Issues: issues}
		if !hadOld {
			return compiledOrNot{quarantine: q}
		}
		q.KeptOld = old.Revision
		return compiledOrNot{compiled: old.withPause(live.Paused), quarantine: q}
	}
	if rule != old.rule() {
		rule.mark = textHash(live.Promotion.ID)
	}
	out := &Compiled{Promotion: live.Promotion, Revision: live.Revision, Paused: live.Paused, Rule: rule, sending: sending}
	out.reads = max(rule.readsSchema, reads)
	if s := live.Promotion.Schedule; s != nil {
		out.Start, out.End = wallNanos(s.Start), wallNanos(s.End)
	}
	out.render()
	return compiledOrNot{compiled: out}
}

// rule is nil of no promotion.
func (c *Compiled) rule() *Rule {
	if c == nil {
		return nil
	}
	return c.Rule
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
