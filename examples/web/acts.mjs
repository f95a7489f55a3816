// What a visitor may do, as the events and attributes that the backend writes.
const garden = { productId: "raised-bed-kit", category: "garden", price: 119 };
const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();

export const acts = {
  look: (userId) => ({ events: [0, 1, 2].map(() => ({ userId, name: "product_viewed", properties: garden })) }),
  search: (userId) => ({ events: [0, 1, 2].map(() => ({ userId, name: "search", properties: { query: "gift", results: 0 } })) }),
  // The promotion waits for half an hour; all but five seconds of it are over.
  abandon: (userId) => ({ events: [{ userId, name: "cart_added", occurredAt: ago(30 * 60 - 5), properties: { ...garden, quantity: 1 } }] }),
  // Here it waits for twenty seconds.
  leave: (userId) => ({ events: [{ userId, name: "product_viewed", occurredAt: ago(20 - 5), properties: garden }] }),
  buy: (userId) => ({ events: [{ userId, name: "purchase", properties: { orderId: crypto.randomUUID(), total: 119, items: 1, category: "garden" } }] }),
  vip: (userId) => ({ attributes: { userId, attributes: { vip: true } } }),
  plain: (userId) => ({ attributes: { userId, attributes: { vip: false } } }),
};
