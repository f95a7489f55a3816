package rules

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
)

// Confidence is that of the intervals of an Estimate.
const Confidence = 0.95

// confidenceZ is the matching quantile of the normal distribution.
const confidenceZ = 1.959964

// Estimate is what a rule does to a sample of the project's users, now. It looks at the rule alone: schedule, caps, holdout and consent are left
// out. What hangs on the request, its channel, or the time of day alone is taken as met, since no user decides it; Assumed names it.
type Estimate struct {
	Sample     int     `json:"sample"`          // users asked
	Users      int     `json:"users,omitempty"` // of the project, when that is known
	Matching   int     `json:"matching"`        // of the sample
	Share      float64 `json:"share"`
	Low        float64 `json:"low"` // with Confidence the share of all users lies between Low and High
	High       float64 `json:"high"`
	Confidence float64 `json:"confidence"`
	// Gains and Losses are how many users the rule matches that the one in force does not, and the reverse: of all users, as far as their
	// number is known, else of the sample.
	Gains   int            `json:"gains"`
	Losses  int            `json:"losses"`
	Reasons map[Reason]int `json:"reasons"` // of the others in the sample, why they do not match
	Assumed []string       `json:"assumed,omitempty"`

	certain int // of the sample, who match whatever is assumed
}

// everybodyFrom is how large a sample must be to say that a rule matches nobody or everybody.
const everybodyFrom = 20

// extreme says in words that the rule matches nobody or everybody of the sample, "" when it does neither.
func (e *Estimate) extreme() string {
	const form = "the rule matches %s of the %d users sampled; with %.0f %% confidence that is %.1f %% to %.1f %% of all"
	who := ""
	switch {
	case e.Sample < everybodyFrom:
	case e.Matching == 0:
		who = "none"
	case e.certain == e.Sample:
		who = "every one"
	}
	if who == "" {
		return ""
	}
	return fmt.Sprintf(form, who, e.Sample, 100*e.Confidence, 100*e.Low, 100*e.High)
}

// Estimate says what the rule would do. Against the promotion in force, when id names one; an empty rule is that promotion's newest revision.
// Errors: InvalidError, ErrNoSample, those of Get.
func (s *Service) Estimate(ctx context.Context, project, id, rule string) (*Estimate, error) {
	f, err := s.frame(ctx, project)
	if err != nil {
		return nil, err
	}
	live := ""
	if id != "" {
		head, rev, err := s.Get(ctx, project, id, 0)
		if err != nil {
			return nil, err
		}
		if rule == "" {
			rule = rev.Promotion.Rule
		}
		if live, err = s.liveRule(ctx, project, head); err != nil {
			return nil, err
		}
	}
	found, err := s.samples.get(ctx, project, f.schema.Version)
	if err != nil {
		return nil, err
	}
	a, issues := s.assess(f, rule)
	if a == nil {
		return nil, &InvalidError{Issues: issues}
	}
	return a.estimate(found, s.assessLive(f, live)), nil
}

// liveRule is the rule in force, "" when none is.
func (s *Service) liveRule(ctx context.Context, project string, head *Head) (string, error) {
	if head.Published == 0 || head.Retired {
		return "", nil
	}
	rev, err := s.repo.Revision(ctx, project, head.ID, head.Published)
	if err != nil {
		return "", err
	}
	return rev.Promotion.Rule, nil
}

// assessment is a rule made ready to be asked of a sample.
type assessment struct {
	source    string
	b         *ruleBuilder
	formula   formula
	retention time.Duration
	assumed   map[*literal]bool
	texts     []string // of what is assumed, in the order of the text
}

// assess compiles a rule; without an assessment the issues say why.
func (s *Service) assess(f *frame, rule string) (*assessment, []Issue) {
	env, err := f.language.get()
	if err != nil {
		return nil, []Issue{{Severity: SeverityError, Field: fieldRule, Code: issueInternal, Message: "the project's rule language cannot be made"}}
	}
	checked, issues := env.check(rule, checkLimits{retention: s.cfg.Retention})
	if checked == nil {
		return nil, issues
	}
	return newAssessment(env, checked, rule, s.cfg.Retention)
}

func newAssessment(env *env, checked *cel.Ast, source string, retention time.Duration) (*assessment, []Issue) {
	b, f, err := buildRule(env, checked, retention)
	if err != nil {
		return nil, []Issue{{Severity: SeverityError, Field: fieldRule, Code: issueInternal, Message: "the rule cannot be planned"}}
	}
	a := &assessment{source: source, b: b, formula: f, retention: retention, assumed: make(map[*literal]bool)}
	a.assume(&a.formula)
	return a, nil
}

// assessLive is assess for a rule that is in force; one that no longer checks counts as none.
func (s *Service) assessLive(f *frame, rule string) *assessment {
	if rule == "" {
		return nil
	}
	a, _ := s.assess(f, rule)
	return a
}

// assume notes the literals that no user decides.
func (a *assessment) assume(f *formula) {
	for i := range f.kids {
		a.assume(&f.kids[i])
	}
	if f.op != opLiteral {
		return
	}
	user, request, time := dependsOn(a.b.exprs[f.lit])
	if request || time && !user {
		a.assumed[f.lit] = true
		if !slices.Contains(a.texts, f.part.Text) {
			a.texts = append(a.texts, f.part.Text)
		}
	}
}

// dependsOn says what of the outside an expression reads.
func dependsOn(e ast.Expr) (user, request, time bool) {
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(node ast.Expr) {
		if node.Kind() != ast.IdentKind {
			return
		}
		switch node.AsIdent() {
		case varUser, varSubject, varCatalog:
			user = true
		case varRequest, varChannel:
			request = true
		case varNow:
			time = true
		}
	}))
	return user, request, time
}

// of is what the rule says of a user when what is assumed is met or is not; the error is set when the outcome is isError.
func (a *assessment) of(f *formula, in *Input, met bool) (outcome, error) {
	if f.op == opLiteral {
		if a.assumed[f.lit] {
			return outcomeOf(met), nil
		}
		value, err := f.lit.value(in)
		return value.towards(f.want), err
	}
	decisive := outcomeOf(f.op != opAnd)
	out, failure := outcomeOf(f.op == opAnd), error(nil)
	for i := range f.kids {
		value, err := a.of(&f.kids[i], in, met)
		if value == decisive {
			return value, nil
		}
		if value == isError && out != isError {
			out, failure = isError, err
		}
	}
	return out, failure
}

// input is what the users of a sample are asked with.
func (a *assessment) input(s *sample) *Input {
	return &Input{Now: s.now(), Retention: int64(a.retention)}
}

// estimate asks every user of the sample; live is the rule in force, or nil.
func (a *assessment) estimate(s *sample, live *assessment) *Estimate {
	e := &Estimate{
		Sample: len(s.users), Users: s.total, High: 1, Confidence: Confidence, Reasons: make(map[Reason]int), Assumed: a.texts,
	}
	if e.Sample == 0 {
		return e
	}
	in := a.input(s)
	gains, losses := 0, 0
	for _, in.Snapshot = range s.users {
		value, err := a.of(&a.formula, in, true)
		switch value {
		case isTrue:
			e.Matching++
			if sure, _ := a.of(&a.formula, in, false); sure == isTrue {
				e.certain++
			}
		case isFalse:
			e.Reasons[ReasonRuleFalse]++
		default:
			code, _ := classify(err)
			e.Reasons[code]++
		}
		before := isFalse
		if live != nil {
			before, _ = live.of(&live.formula, in, true)
		}
		switch {
		case value == isTrue && before != isTrue:
			gains++
		case value != isTrue && before == isTrue:
			losses++
		}
	}
	e.Share = float64(e.Matching) / float64(e.Sample)
	e.Low, e.High = wilson(e.Matching, e.Sample, s.total)
	e.Gains, e.Losses = e.scaled(gains), e.scaled(losses)
	return e
}

// scaled turns a number of the sample's users into one of the project's.
func (e *Estimate) scaled(n int) int {
	if e.Users <= e.Sample {
		return n
	}
	return int(math.Round(float64(n) * float64(e.Users) / float64(e.Sample)))
}

// wilson is Wilson's score interval for a share of which k in n were seen. The larger the part of all users that was drawn, the narrower: when all
// were, the share is known.
func wilson(k, n, total int) (low, high float64) {
	share, size := float64(k)/float64(n), float64(n)
	if total > 0 {
		if total <= n {
			return share, share
		}
		size *= float64(total-1) / float64(total-n)
	}
	z2 := confidenceZ * confidenceZ
	middle := (share + z2/(2*size)) / (1 + z2/size)
	half := confidenceZ / (1 + z2/size) * math.Sqrt(share*(1-share)/size+z2/(4*size*size))
	low, high = max(0, middle-half), min(1, middle+half)
	if k == 0 {
		low = 0
	}
	if k == n {
		high = 1
	}
	return low, high
}
