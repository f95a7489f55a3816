package sim

import (
	"fmt"
	"time"

	"eligibility/internal/profile"
	"eligibility/internal/rules"
)

// Rulesets are the versions that histories publish one after another. Compiling takes longer than a history, so all histories share them;
// they are immutable.
type Rulesets struct {
	All []*rules.Ruleset // version i+1 at i
}

// publishable is how many times a history can publish.
const publishable = 7

// NewRulesets compiles them. Each version differs from the one before in a constant; every third one reads an attribute that the schema
// did not have before, though users have had it all along.
func NewRulesets() (*Rulesets, error) {
	schema, err := profile.NewSchema().WithAttribute("level", profile.Type{Kind: profile.Int}, false)
	if err != nil {
		return nil, err
	}
	if schema, err = schema.WithEventType("buy", nil); err != nil {
		return nil, err
	}
	compiler := rules.NewCompiler(720 * time.Hour)
	all := &Rulesets{}
	fresh := "false"
	for v := range publishable + 1 {
		switch v {
		case 2:
			schema, err = schema.WithAttribute("vip", profile.Type{Kind: profile.Bool}, false)
			fresh = "user.vip"
		case 5:
			schema, err = schema.WithAttribute("badge", profile.Type{Kind: profile.String}, false)
			fresh = "user.vip || user.badge == 'b1'"
		}
		if err != nil {
			return nil, err
		}
		rs, err := compiler.Compile(&rules.Spec{
			Project: project, Version: uint64(v + 1), Schema: schema,
			Placements: []rules.Placement{{Placement: 1, Name: "home", Limit: 2}, {Placement: 2, Name: "cart", Limit: 1}},
			Promotions: rules.NewRoll(
				promotion(v, "bought", "events.exists('buy', duration('700ms'))", 1, 1),
				promotion(v, "fresh", fresh, 1, 2),
				promotion(v, "level", fmt.Sprintf("user.level >= %d", 1+v%3), 1, 3),
				promotion(v, "quiet", "!events.exists('buy', duration('2s'))", 1, 4),
				promotion(v, "twice", "events.count('buy', duration('1m')) >= 2", 2, 1),
				promotion(v, "odd", fmt.Sprintf("user.level %% 2 == %d", v%2), 2, 2),
			),
		}, nil)
		if err != nil {
			return nil, fmt.Errorf("compile version %d: %w", v, err)
		}
		if len(rs.Quarantined) > 0 {
			return nil, fmt.Errorf("version %d: %+v", v, rs.Quarantined)
		}
		all.All = append(all.All, rs)
	}
	return all, nil
}

func promotion(version int, id, rule string, placement, priority int32) rules.LivePromotion {
	return rules.LivePromotion{Revision: version + 1, Promotion: &rules.Promotion{
		ID: id, Name: id, Rule: rule, Placements: []rules.PlacementTarget{{Placement: placement, Priority: priority}},
		Content: rules.Content{Title: fmt.Sprintf("%s of version %d", id, version)},
	}}
}
