package rules

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// evaluate makes the cells of every domain and evaluates its clauses in each.
func (f *finder) evaluate() {
	trials := 0
	for i := 0; i < len(f.domains); i++ { // giving one up appends others
		d := f.domains[i]
		ok := f.divide(d)
		if trials += len(d.cells) * len(d.uses); !ok || trials > maxCellTrials && d.kind != domainTruth || !f.try(d) {
			f.giveUp(d)
		}
	}
}

// giveUp makes each clause of the domain an unknown of its own.
func (f *finder) giveUp(d *domain) {
	d.cells = nil
	for _, u := range d.uses {
		free := f.unknown(u.expr)
		u.claim.domain = free
		if len(free.cells) > 0 { // its turn has passed
			f.tryOne(free, &u)
			continue
		}
		free.uses = append(free.uses, use{claim: u.claim, expr: u.expr, want: u.want})
	}
}

func (f *finder) try(d *domain) bool {
	return !slices.ContainsFunc(d.uses, func(u use) bool { return !f.tryOne(d, &u) })
}

// tryOne evaluates one clause in every cell: as a decision would, but for terms, whose value is put in their place.
func (f *finder) tryOne(d *domain, u *use) bool {
	c := u.claim
	c.cells = make([]outcome, len(d.cells))
	if d.kind == domainTruth {
		for i := range d.cells {
			c.cells[i] = d.cells[i].truth.towards(u.want)
		}
		return true
	}
	if d.kind == domainTerm {
		program, err := f.b.env.program(f.replaced(u))
		if err != nil {
			return false
		}
		for i := range d.cells {
			c.cells[i] = run(program, d.cells[i].vars).towards(u.want)
		}
		return true
	}
	lit, err := f.b.literal(u.expr, textOf(u.expr, f.b.info))
	if err != nil {
		return false
	}
	for i := range d.cells {
		in, ok := d.cells[i].vars.(*Input)
		if !ok {
			return false
		}
		value, _ := lit.value(in)
		c.cells[i] = value.towards(u.want)
	}
	return true
}

// varCell is the variable that stands for a term.
const varCell = "@cell"

// replaced is the clause with the variable in the place of its term.
func (f *finder) replaced(u *use) *ast.AST {
	whole := f.b.checked
	factory := ast.NewExprFactory()
	variable := factory.NewIdent(ast.MaxID(whole)+1, varCell)
	call := u.expr.AsCall()
	args := slices.Clone(call.Args())
	for i := range args {
		if args[i].ID() == u.term.ID() {
			args[i] = variable
		}
	}
	return subAST(whole, factory.NewCall(u.expr.ID(), call.FunctionName(), args...))
}

// cellNow is the instant of all cells, 2026-01-01 in UTC in wall nanoseconds. No clause that is evaluated at it sees now: what reads now is
// a term, or a count in windows whose events are placed around it.
const cellNow = 1_767_225_600_000_000_000

// run is what a program comes to for an activation.
func run(program cel.Program, vars cel.Activation) outcome {
	value, _, err := program.Eval(vars)
	if err != nil {
		return isError
	}
	truth, ok := value.(types.Bool)
	if !ok {
		return isError
	}
	return outcomeOf(bool(truth))
}
