package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"eligibility/bench/workload"
	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// TestWholeDecisionsHoldUntilTheySayTheyDo is law L5 through the index: for random rulesets, users and instants, what is shown does not change before
// ValidUntil, not in its last nanosecond and not at instants between, also by rules that the index passed over. What is shown at an instant is found
// without the index.
func TestWholeDecisionsHoldUntilTheySayTheyDo(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	h := &horizons{T: t, Rand: rand.New(rand.NewPCG(seed, 1))}
	for round := range 24 {
		if h.ruleset(workload.Config{
			Seed: seed + uint64(round), Rules: 40 + h.IntN(200), Users: 12, Events: []int{50, 12, 3}[round%3],
			Style: workload.Style(round % 2), Opaque: 0.1 * float64(round%3), Selective: round%8 == 7,
		}); t.Failed() {
			t.Fatalf("seed %d, round %d", seed, round)
		}
	}
	t.Logf("seed %d: %d decisions, %d of them with a horizon, %d probes before it; %d turned at it", seed, h.decisions, h.finite, h.probes, h.turned)
	// That what is shown turns at many a horizon is the proof that one nanosecond more would have been seen.
	if h.finite < h.decisions/10 || h.turned < h.finite/50 || h.turned == 0 {
		t.Errorf("too little was seen: %+v", h)
	}
}

// horizons asks about decisions and counts what it saw.
type horizons struct {
	*testing.T
	*rand.Rand
	decisions, finite, probes, turned int
}

func (h *horizons) ruleset(c workload.Config) {
	w, err := workload.New(c)
	if err != nil {
		h.Fatal(err)
	}
	spec := &rules.Spec{Project: "p", Schema: w.Schema, Placements: []rules.Placement{
		{Placement: 1, Name: "home", Limit: 1 + h.IntN(5)}, {Placement: 2, Name: "all", Limit: len(w.Rules)},
	}}
	var all []rules.LivePromotion
	for _, r := range w.Rules {
		all = append(all, h.promotion(&r, w.Now))
	}
	// Most of the index is taken over from the rulesets before, as publishes leave it.
	compiler := rules.NewCompiler(720 * time.Hour)
	var rs *rules.Ruleset
	for n := len(all) - 3; n <= len(all); n++ {
		spec.Promotions, spec.Version = rules.NewRoll(all[:n]...), spec.Version+1
		if rs, err = compiler.Compile(spec, rs); err != nil || len(rs.Quarantined) > 0 {
			h.Fatalf("compile: %v, quarantined %+v", err, rs.Quarantined)
		}
	}
	for i := range w.Users {
		for range 12 {
			// Some events lie ahead of the instant, some have left every window.
			now := w.Now.Add(-time.Duration(h.Int64N(int64(40 * 24 * time.Hour)))).Add(time.Duration(h.Int64N(int64(20 * 24 * time.Hour))))
			h.ask(rs, w.Snapshot("p", &w.Users[i]), now.UnixNano())
		}
	}
}

func (h *horizons) promotion(r *workload.Rule, now time.Time) rules.LivePromotion {
	p := rules.LivePromotion{Revision: 1, Paused: h.IntN(20) == 0, Promotion: &rules.Promotion{
		ID: r.ID, Name: r.ID, Rule: r.Text, Content: rules.Content{Title: r.ID},
		Placements: []rules.PlacementTarget{{Placement: int32(1 + h.IntN(2)), Priority: int32(1 + h.IntN(50))}},
	}}
	if h.IntN(6) == 0 {
		start := now.Add(time.Duration(h.Int64N(int64(30*24*time.Hour))) - 25*24*time.Hour)
		end := start.Add(time.Duration(1 + h.Int64N(int64(20*24*time.Hour))))
		p.Promotion.Schedule = &rules.Schedule{Start: &start, End: &end}
	}
	if h.IntN(10) == 0 {
		p.Promotion.Holdout = &rules.Holdout{Percent: 50, Salt: r.ID}
	}
	return p
}

func (h *horizons) ask(rs *rules.Ruleset, snap *profile.Snapshot, now int64) {
	var d, plain Decision
	Decide(rs, snap, &Request{Now: now, Channel: "embedded"}, &d)
	shown := shownBy(&d)
	at := func(now int64) string { return h.plainly(rs, snap, now, &plain) }
	h.decisions++
	if got := at(now); got != shown {
		h.Errorf("user %s at %d: %s through the index, %s without", snap.Key.User, now, shown, got)
		return
	}
	until := d.ValidUntil
	if until == rules.Forever {
		until = now + int64(100*24*time.Hour)
	} else {
		h.finite++
		if at(until) != shown {
			h.turned++
		}
	}
	for _, probe := range []int64{until - 1, now + h.Int64N(until-now), now + h.Int64N(until-now)} {
		h.probes++
		if got := at(probe); got != shown {
			h.Errorf("user %s: %s at %d until %d, but %s at %d", snap.Key.User, shown, now, d.ValidUntil, got, probe)
			return
		}
	}
}

// plainly decides by asking every promotion, first to be shown first.
func (h *horizons) plainly(rs *rules.Ruleset, snap *profile.Snapshot, now int64, d *Decision) string {
	d.reset(rs)
	d.begin(rs, snap, &Request{Now: now, Channel: "embedded"})
	for i := range rs.Placements {
		table, shown := &rs.Placements[i], 0
		d.Placements = append(d.Placements, Placement{ID: table.Placement.Placement})
		for _, candidate := range table.All() {
			if ok, _ := d.eligible(candidate.Promotion); ok && shown < table.Limit {
				d.messages = append(d.messages, candidate)
				shown++
			}
		}
		d.ends = append(d.ends, len(d.messages))
	}
	d.slice()
	return shownBy(d)
}

func shownBy(d *Decision) string {
	text := ""
	for _, p := range d.Placements {
		text += fmt.Sprintf("%d:", p.ID)
		for i := range p.Messages {
			text += " " + p.Messages[i].Promotion.ID
		}
		text += " | "
	}
	return text
}

// TestDecisionsOfEveryKindOfRuleAllocateNothing: also where rules have to be interpreted, and whole trees of them.
func TestDecisionsOfEveryKindOfRuleAllocateNothing(t *testing.T) {
	for name, c := range map[string]workload.Config{
		"typed": {Rules: 300, Users: 16}, "interpreted": {Rules: 300, Users: 16, Opaque: 0.5}, "nested": {Rules: 300, Users: 16, Style: workload.Nested},
	} {
		t.Run(name, func(t *testing.T) {
			l := load(t, c, 300)
			req := Request{Now: l.now, Channel: "embedded"}
			var d Decision
			all := func() {
				for _, u := range l.users {
					Decide(l.rs, u, &req, &d)
				}
			}
			all()
			most := 0.0
			if name == "interpreted" {
				most = 4 // the interpreter boxes a sum beyond 255, and its own pools let go now and then, under the race detector often
			}
			if got := testing.AllocsPerRun(20, all) / float64(len(l.users)); got > most {
				t.Errorf("Decide allocates %v times, want at most %v", got, most)
			}
		})
	}
}
