package traffic

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"eligibility/internal/demo/shop"
)

// castSize is how many shoppers are watched: with the default rate each of them does something about once a minute.
const castSize = 400

// Cast picks the shoppers whom the simulated traffic watches: the named ones, who only stand there because the tutorial tells their story,
// and some more, who act. fresh says that the shop was just made up from cfg, so that what they did last is known.
func Cast(cfg shop.Config, fresh bool) ([]Role, error) {
	generator, err := shop.New(cfg)
	if err != nil {
		return nil, err
	}
	named := len(shop.Named())
	cast := make([]Role, 0, castSize)
	for i := range min(castSize, cfg.Users) {
		shopper, err := generator.Shopper(i)
		if err != nil {
			return nil, err
		}
		who := &shopper.Profile.Attributes
		id := shopper.Profile.UserID
		role := Role{UserID: id, Name: id, AppVersion: who.AppVersion, Platform: shopper.Platform, Still: i < named}
		if !role.Still {
			role.Name = fmt.Sprintf("%s %s", who.FirstName, role.UserID)
		}
		if fresh {
			role.Last = make(map[string]time.Time)
			for _, e := range shopper.Events { // oldest first
				role.Last[e.Name] = e.OccurredAt
			}
		}
		cast = append(cast, role)
	}
	return cast, nil
}

// Promotions says what notices need to know about the shop's promotions.
func Promotions(now time.Time) (map[string]Known, error) {
	promotions, err := shop.Promotions(now)
	if err != nil {
		return nil, err
	}
	known := make(map[string]Known, len(promotions))
	for i := range promotions {
		p := &promotions[i]
		known[p.ID] = Known{Name: p.Name, Reads: reads(p.Rule)}
	}
	return known, nil
}

// reads lists the event types that the rule names, in the order of the text.
func reads(rule string) []string {
	var names []string
	for _, e := range shop.EventTypes() {
		if strings.Contains(rule, "'"+e.Name+"'") {
			names = append(names, e.Name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Compare(strings.Index(rule, "'"+a+"'"), strings.Index(rule, "'"+b+"'"))
	})
	return names
}
