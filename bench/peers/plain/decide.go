package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"eligibility/bench/workload"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// promotions are compiled rules, first to be shown first.
type promotions struct {
	ids      []string
	programs []cel.Program
}

// user is one user as programs read him.
type user struct {
	attributes map[string]any
	events     map[string][]int64 // wall nanoseconds by type, ascending
}

// history is a user's events at one instant, the value of the variable events.
type history struct {
	*user
	now int64
}

var historyType = types.NewOpaqueType("history")

func (h *history) ConvertToNative(reflect.Type) (any, error) {
	return nil, fmt.Errorf("a history is no value of Go")
}

func (h *history) ConvertToType(ref.Type) ref.Val { return types.NewErr("a history is no other type") }
func (h *history) Equal(ref.Val) ref.Val          { return types.False }
func (h *history) Type() ref.Type                 { return historyType }
func (h *history) Value() any                     { return h }

// count is the events of the type in (now - window, now].
func count(args ...ref.Val) ref.Val {
	h, name, window := args[0].(*history), string(args[1].(types.String)), args[2].(types.Duration).Duration
	times := h.events[name]
	after := func(at int64) int {
		n, _ := slices.BinarySearch(times, at+1)
		return n
	}
	return types.Int(after(h.now) - after(h.now-int64(window)))
}

func compile(w *workload.Workload) (*promotions, error) {
	env, err := cel.NewEnv(
		cel.Variable("user", cel.MapType(cel.StringType, cel.DynType)), cel.Variable("events", cel.OpaqueType("history")),
		cel.Function("count", cel.MemberOverload("history_count", []*cel.Type{cel.OpaqueType("history"), cel.StringType, cel.DurationType}, cel.IntType, cel.FunctionBinding(count))),
		cel.Function("days", cel.Overload("days_int", []*cel.Type{cel.IntType}, cel.DurationType, cel.UnaryBinding(func(n ref.Val) ref.Val {
			return types.Duration{Duration: time.Duration(n.(types.Int)) * 24 * time.Hour}
		}))),
	)
	if err != nil {
		return nil, err
	}
	p := &promotions{}
	for i := range w.Rules { // the workload ranks them as it draws them
		checked, issues := env.Compile(w.Rules[i].Text)
		if issues.Err() != nil {
			return nil, issues.Err()
		}
		program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize))
		if err != nil {
			return nil, err
		}
		p.ids, p.programs = append(p.ids, w.Rules[i].ID), append(p.programs, program)
	}
	return p, nil
}

// read decodes a user with the types that the schema says; what he lacks stays away, so that reading it is an error, as in the engine.
func read(w *workload.Workload, from *workload.User) (*user, error) {
	u := &user{events: make(map[string][]int64)}
	if err := json.Unmarshal([]byte(from.Attributes), &u.attributes); err != nil {
		return nil, err
	}
	for _, a := range w.Schema.Attributes {
		if number, ok := u.attributes[a.Name].(float64); ok && a.Type.String() == "int" {
			u.attributes[a.Name] = int64(number)
		}
	}
	for _, e := range from.Events {
		u.events[e.Name] = append(u.events[e.Name], e.At.UnixNano())
	}
	return u, nil
}

// decide returns what is shown, by placement and rank. Rule i is of placement i modulo their number, as the harness deals them out.
func (p *promotions) decide(u *user, now time.Time, placements, limit int) ([]string, error) {
	in, err := cel.NewActivation(map[string]any{"user": u.attributes, "events": &history{u, now.UnixNano()}})
	if err != nil {
		return nil, err
	}
	shown, full := make([][]string, placements), 0
	for i, program := range p.programs {
		place := i % placements
		if len(shown[place]) == limit {
			continue
		}
		value, _, err := program.Eval(in)
		if err != nil || value != types.True {
			continue // an attribute that the user lacks is an error, and no reason to show anything
		}
		if shown[place] = append(shown[place], p.ids[i]); len(shown[place]) == limit {
			if full++; full == placements {
				break
			}
		}
	}
	return slices.Concat(shown...), nil
}
