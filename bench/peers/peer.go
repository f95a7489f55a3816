package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"eligibility/bench/workload"
	"eligibility/internal/engine"
	"eligibility/internal/profile"
	"eligibility/internal/rules"

	"cel.dev/cel-go/cel"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	growthbook "github.com/growthbook/growthbook-golang"
	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/rego"
)

// peer answers which rules hold for a user. What can be made ready before is.
type peer struct {
	name string
	// ask marks in holds, by rule, what holds for the user of that number.
	ask func(user int, holds []bool) error
}

// question is what peers are asked with: trees of rules and users as maps.
type question struct {
	work  *workload.Workload
	rules []tree
	users []map[string]any
}

// ours decides with room for every message: all that match.
func ours(q *question) (peer, error) {
	n := len(q.work.Rules)
	spec := &rules.Spec{Project: "p", Version: 1, Schema: q.work.Schema, Placements: []rules.Placement{{Placement: 1, Name: "home", Limit: n}}}
	live := make([]rules.LivePromotion, 0, n)
	for _, r := range q.work.Rules {
		live = append(live, rules.LivePromotion{Revision: 1, Promotion: &rules.Promotion{
			ID: r.ID, Name: r.ID, Rule: r.Text, Content: rules.Content{Title: r.ID}, Placements: []rules.PlacementTarget{{Placement: 1, Priority: r.Priority}},
		}})
	}
	spec.Promotions = rules.NewRoll(live...)
	rs, err := rules.NewCompiler(720*time.Hour).Compile(spec, nil)
	if err != nil {
		return peer{}, err
	}
	var users []*profile.Snapshot
	for i := range q.work.Users {
		users = append(users, q.work.Snapshot("p", &q.work.Users[i]))
	}
	req := engine.Request{Now: q.work.Now.UnixNano(), Channel: "embedded"}
	var d engine.Decision
	return peer{"this engine", func(user int, holds []bool) error {
		engine.Decide(rs, users[user], &req, &d)
		for i := range d.Placements {
			for j := range d.Placements[i].Messages {
				holds[d.Placements[i].Messages[j].Priority-1] = true // rules have ranks of their own
			}
		}
		return nil
	}}, nil
}

func plainCEL(q *question) (peer, error) {
	env, err := cel.NewEnv(cel.Variable("user", cel.MapType(cel.StringType, cel.DynType)))
	if err != nil {
		return peer{}, err
	}
	var programs []cel.Program
	for i := range q.rules {
		checked, issues := env.Compile(q.rules[i].infix())
		if issues.Err() != nil {
			return peer{}, issues.Err()
		}
		program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize))
		if err != nil {
			return peer{}, err
		}
		programs = append(programs, program)
	}
	return peer{"cel-go", func(user int, holds []bool) error {
		in, err := cel.NewActivation(map[string]any{"user": q.users[user]})
		if err != nil {
			return err
		}
		for i, p := range programs {
			value, _, err := p.Eval(in)
			if err != nil {
				return err
			}
			holds[i] = value.Value() == true
		}
		return nil
	}}, nil
}

func exprLang(q *question) (peer, error) {
	var programs []*vm.Program
	for i := range q.rules {
		p, err := expr.Compile(q.rules[i].infix(), expr.Env(map[string]any{"user": map[string]any{}}), expr.AsBool())
		if err != nil {
			return peer{}, err
		}
		programs = append(programs, p)
	}
	var machine vm.VM
	return peer{"expr", func(user int, holds []bool) error {
		env := map[string]any{"user": q.users[user]}
		for i, p := range programs {
			value, err := machine.Run(p, env)
			if err != nil {
				return err
			}
			holds[i] = value == true
		}
		return nil
	}}, nil
}

func growthBook(q *question) (peer, error) {
	features := make(map[string]any)
	for i, r := range q.work.Rules {
		features[r.ID] = map[string]any{"defaultValue": false, "rules": []any{map[string]any{"condition": q.rules[i].condition(), "force": true}}}
	}
	text, err := json.Marshal(features)
	if err != nil {
		return peer{}, err
	}
	ctx := context.Background()
	client, err := growthbook.NewClient(ctx, growthbook.WithJsonFeatures(string(text)))
	if err != nil {
		return peer{}, err
	}
	var users []*growthbook.Client
	for _, u := range q.users {
		one, err := client.WithAttributes(growthbook.Attributes(u))
		if err != nil {
			return peer{}, err
		}
		users = append(users, one)
	}
	return peer{"GrowthBook Go", func(user int, holds []bool) error {
		for i := range q.work.Rules {
			holds[i] = users[user].EvalFeature(ctx, q.work.Rules[i].ID).On
		}
		return nil
	}}, nil
}

func openPolicyAgent(q *question) (peer, error) {
	var w rego
	for i := range q.rules {
		lines := w.body(&q.rules[i])
		fmt.Fprintf(&w, "hit contains %d if {\n\t%s\n}\n", i, strings.Join(lines, "\n\t"))
	}
	ctx := context.Background()
	query, err := opa.New(opa.Query("data.peers.hit"), opa.Module("peers.rego", "package peers\n"+w.String())).PrepareForEval(ctx)
	if err != nil {
		return peer{}, err
	}
	var users []ast.Value
	for _, u := range q.users {
		v, err := ast.InterfaceToValue(map[string]any{"user": u})
		if err != nil {
			return peer{}, err
		}
		users = append(users, v)
	}
	return peer{"OPA, in process", func(user int, holds []bool) error {
		set, err := query.Eval(ctx, opa.EvalParsedInput(users[user]))
		if err != nil {
			return err
		}
		hits, _ := set[0].Expressions[0].Value.([]any)
		for _, hit := range hits {
			n, err := hit.(json.Number).Int64()
			if err != nil {
				return err
			}
			holds[n] = true
		}
		return nil
	}}, nil
}
