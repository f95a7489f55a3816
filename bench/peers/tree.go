package main

import (
	"fmt"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// tree is a rule of the workload in a form that every peer's language can be written from.
type tree struct {
	op    string // and, or, not; or that of a comparison, in, member, true
	kids  []tree
	field string // an attribute, or the count of events, such as count:purchase:24h
	value any    // int64, float64, string; []string of in
}

// reader turns rules into trees and remembers the counts that they ask for.
type reader struct {
	env    *cel.Env
	counts map[string]counted
}

// counted is how many events a peer is told of.
type counted struct {
	event  string
	window time.Duration
}

var comparisons = map[string]string{
	operators.Equals: "==", operators.NotEquals: "!=", operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">", operators.GreaterEquals: ">=",
}

func (r *reader) read(text string) (tree, error) {
	parsed, issues := r.env.Parse(text)
	if issues.Err() != nil {
		return tree{}, issues.Err()
	}
	return r.of(parsed.NativeRep().Expr())
}

func (r *reader) of(e ast.Expr) (tree, error) {
	if e.Kind() == ast.SelectKind {
		return tree{op: "true", field: e.AsSelect().FieldName()}, nil
	}
	if e.Kind() != ast.CallKind {
		return tree{}, fmt.Errorf("a rule has a part of kind %v", e.Kind())
	}
	call := e.AsCall()
	switch name := call.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot:
		out := tree{op: map[string]string{operators.LogicalAnd: "and", operators.LogicalOr: "or", operators.LogicalNot: "not"}[name]}
		for _, arg := range call.Args() {
			kid, err := r.of(arg)
			if err != nil {
				return out, err
			}
			out.kids = append(out.kids, kid)
		}
		return out, nil
	case operators.In:
		return r.membership(call)
	default:
		op, known := comparisons[name]
		if !known {
			return tree{}, fmt.Errorf("a rule calls %s", name)
		}
		field, err := r.field(call.Args()[0])
		return tree{op: op, field: field, value: call.Args()[1].AsLiteral().Value()}, err
	}
}

// membership is a text in a list of constants, or a constant in the user's list.
func (r *reader) membership(call ast.CallExpr) (tree, error) {
	left, right := call.Args()[0], call.Args()[1]
	if left.Kind() == ast.LiteralKind {
		return tree{op: "member", field: right.AsSelect().FieldName(), value: left.AsLiteral().Value()}, nil
	}
	var values []string
	for _, element := range right.AsList().Elements() {
		values = append(values, string(element.AsLiteral().(types.String)))
	}
	return tree{op: "in", field: left.AsSelect().FieldName(), value: values}, nil
}

func (r *reader) field(e ast.Expr) (string, error) {
	if e.Kind() == ast.SelectKind {
		return e.AsSelect().FieldName(), nil
	}
	call := e.AsCall()
	window := call.Args()[1].AsCall()
	span := 24 * time.Hour
	if window.FunctionName() == "days" {
		span *= time.Duration(window.Args()[0].AsLiteral().Value().(int64))
	} else {
		var err error
		if span, err = time.ParseDuration(window.Args()[0].AsLiteral().Value().(string)); err != nil {
			return "", err
		}
	}
	c := counted{event: string(call.Args()[0].AsLiteral().(types.String)), window: span}
	name := fmt.Sprintf("count_%s_%dh", c.event, int(span.Hours()))
	r.counts[name] = c
	return name, nil
}

// infix writes a rule over user, as expr and cel-go both read it.
func (t *tree) infix() string {
	var kids []string
	for i := range t.kids {
		kids = append(kids, t.kids[i].infix())
	}
	switch t.op {
	case "and":
		return "(" + strings.Join(kids, " && ") + ")"
	case "or":
		return "(" + strings.Join(kids, " || ") + ")"
	case "not":
		return "!(" + kids[0] + ")"
	case "true":
		return "user." + t.field
	case "in":
		return fmt.Sprintf("user.%s in %s", t.field, literal(t.value))
	case "member":
		return fmt.Sprintf("%s in user.%s", literal(t.value), t.field)
	}
	return fmt.Sprintf("user.%s %s %s", t.field, t.op, literal(t.value))
}

// literal writes a constant as all the languages read it.
func literal(v any) string {
	switch v := v.(type) {
	case []string:
		var out []string
		for _, text := range v {
			out = append(out, literal(text))
		}
		return "[" + strings.Join(out, ", ") + "]"
	case string:
		return fmt.Sprintf("%q", v)
	case float64:
		text := fmt.Sprint(v)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	}
	return fmt.Sprint(v)
}

// condition writes a rule as GrowthBook's targeting conditions.
func (t *tree) condition() map[string]any {
	switch t.op {
	case "and", "or":
		kids := []any{}
		for i := range t.kids {
			kids = append(kids, t.kids[i].condition())
		}
		return map[string]any{"$" + t.op: kids}
	case "not":
		return map[string]any{"$not": t.kids[0].condition()}
	case "true":
		return map[string]any{t.field: true}
	case "in":
		return map[string]any{t.field: map[string]any{"$in": t.value}}
	case "member":
		return map[string]any{t.field: map[string]any{"$elemMatch": map[string]any{"$eq": t.value}}}
	}
	name := map[string]string{"==": "$eq", "!=": "$ne", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}[t.op]
	return map[string]any{t.field: map[string]any{name: t.value}}
}

// rego writes rules of OPA's language. Each OR and each NOT becomes a rule of its own.
type rego struct {
	strings.Builder
	helpers int
}

// body is the lines that hold when the tree does.
func (w *rego) body(t *tree) []string {
	field := "input.user." + t.field
	switch t.op {
	case "and":
		var lines []string
		for i := range t.kids {
			lines = append(lines, w.body(&t.kids[i])...)
		}
		return lines
	case "or", "not":
		w.helpers++
		name := fmt.Sprintf("part%d", w.helpers)
		for i := range t.kids {
			lines := w.body(&t.kids[i])
			fmt.Fprintf(w, "%s if {\n\t%s\n}\n", name, strings.Join(lines, "\n\t"))
		}
		if t.op == "not" {
			return []string{"not " + name}
		}
		return []string{name}
	case "true":
		return []string{field}
	case "in":
		return []string{field + " in " + literal(t.value)}
	case "member":
		return []string{literal(t.value) + " in " + field}
	}
	return []string{fmt.Sprintf("%s %s %s", field, t.op, literal(t.value))}
}
