package shop

import "math/rand/v2"

// category is a department of the shop with its products, best-selling first.
type category struct {
	name     string
	weight   float64 // how many shoppers like it best
	products []product
}

type product struct {
	id    string
	price float64 // in the shop's base currency
}

// catalogue is ordered by weight.
var catalogue = []category{
	{"garden", 22, []product{
		{"bulb-planter", 14.5},
		{"hose-reel-20m", 49},
		{"raised-bed-kit", 119},
		{"pruning-shears", 24.9},
		{"rain-barrel-200l", 89},
		{"seed-box-herbs", 12.9},
		{"solar-lantern", 19.9},
	}},
	{"kitchen", 20, []product{
		{"chef-knife-20cm", 64},
		{"cast-iron-pan", 39.5},
		{"pour-over-set", 34},
		{"stand-mixer", 299},
		{"linen-towels", 18},
		{"spice-rack", 27.5},
		{"bread-tin", 16},
	}},
	{"tools", 16, []product{
		{"cordless-drill", 129},
		{"socket-set", 79},
		{"spirit-level", 17.9},
		{"work-gloves", 11.5},
		{"bench-vice", 92},
		{"headlamp", 29},
	}},
	{"books", 14, []product{
		{"bread-from-scratch", 26},
		{"pocket-atlas", 15},
		{"knots-illustrated", 12.5},
		{"balcony-vegetables", 19},
		{"night-sky", 22},
	}},
	{"sport", 12, []product{{"trail-shoes", 118}, {"yoga-mat", 35}, {"bike-lights", 42}, {"swim-goggles", 21}, {"kettlebell-12kg", 48}}},
	{"toys", 9, []product{{"wooden-train", 45}, {"kite", 23}, {"marble-run", 59}, {"puzzle-1000", 17}}},
	{"beauty", 7, []product{{"hand-balm", 9.5}, {"beard-oil", 16.5}, {"sun-cream", 14}, {"soap-trio", 13}}},
}

// stores are where an order can be picked up, by country; elsewhere there are none.
var stores = map[string][]string{
	"US": {"new-york-soho", "chicago-loop", "seattle-pike"}, "DE": {"berlin-mitte", "hamburg-altona"},
	"GB": {"london-hackney", "leeds-market"},
	"FR": {"paris-marais"}, "BR": {"sao-paulo-pinheiros"},
}

// appVersions are in use, newest first, by the given shares.
var appVersions = []struct {
	version string
	weight  float64
}{{"5.4.1", 44}, {"5.3.0", 21}, {"5.2.2", 12}, {"5.1.4", 11}, {"5.0.0", 7}, {"4.9.3", 5}}

// inboundTopics is what people write to the shop about.
var inboundTopics = []string{"order_status", "return", "opening_hours", "product_question"}

// PickItem draws a product, popular ones more often, for simulated shoppers.
func PickItem(r *rand.Rand) Item {
	c := &catalogue[pick(r, catalogue, func(c *category) float64 { return c.weight })]
	product := &c.products[min(int(r.ExpFloat64()*1.8), len(c.products)-1)]
	return Item{ProductID: product.id, Category: c.name, Price: product.price}
}
