package traffic

import (
	"context"
	"fmt"
	"time"

	"eligibility/internal/demo/shop"
)

// act lets a member of the cast do the next thing: come in, look, search, fill the cart, pay, or leave.
func (w *worker) act(ctx context.Context, m *watched) {
	if m.Still {
		return
	}
	if !m.visiting {
		m.visiting = true
		w.do(ctx, m, shop.EventOpened, shop.Opening{Platform: m.Platform, AppVersion: m.AppVersion})
		w.see(ctx, m)
		return
	}
	item := shop.PickItem(w.rng)
	switch x := w.rng.Float64(); {
	case x < 0.45:
		w.do(ctx, m, shop.EventViewed, item)
	case x < 0.55:
		w.do(ctx, m, shop.EventSearch, shop.Search{Query: item.ProductID, Results: w.rng.IntN(30)})
	case x < 0.7:
		item.Quantity = 1
		m.cart += item.Price
		w.do(ctx, m, shop.EventAdded, item)
	case x < 0.8 && m.cart > 0:
		order := shop.Order{OrderID: fmt.Sprintf("o-%s-%d", m.UserID, time.Now().UnixMilli()), Total: m.cart, Items: 1, Category: item.Category}
		m.cart = 0
		w.do(ctx, m, shop.EventPurchase, order)
	default:
		m.visiting = false
	}
}

// do sends what m does and asks what to show now, from an answer that has seen it.
func (w *worker) do(ctx context.Context, m *watched, name string, properties any) {
	asOf, err := w.sim.client.tell(ctx, happening{UserID: m.UserID, Name: name, Properties: properties})
	if err != nil {
		w.sorry(ctx, err)
		return
	}
	m.Last[name] = time.Now()
	w.reviewAt(ctx, m, "after "+name, asOf)
}

// see reports the impression of one message that m is shown.
func (w *worker) see(ctx context.Context, m *watched) {
	if m.first == "" {
		return
	}
	if err := w.sim.client.shown(ctx, m.UserID, m.first); err != nil {
		w.sorry(ctx, err)
	}
}
