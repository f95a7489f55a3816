import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { createClient, TooManyReports } from "../../dist/index.js";
import { problem, server, settle } from "./world.mjs";

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(Math, "random", () => 0);
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

const make = (fetch) => createClient({ url: "http://api.test", key: "k", userId: "ada", fetch, source: null });
const tick = async (wait) => {
  mock.timers.tick(wait);
  await settle();
};

test("impressions are gathered, by message and user", async () => {
  const { calls, fetch } = server(() => ({ body: {} }));
  const client = make(fetch);
  for (const [id, user] of [["a"], ["a"], ["b"], ["a", "ben"], ["a"]]) client.impression(id, user);
  await tick(1999);
  assert.equal(calls.length, 0);
  await tick(1);
  assert.deepEqual(calls.map(({ body: { id: _, ...rest } }) => rest), [
    { userId: "ada", messageId: "a", kind: "impression", count: 3 },
    { userId: "ada", messageId: "b", kind: "impression", count: 1 },
    { userId: "ben", messageId: "a", kind: "impression", count: 1 },
  ]);
  assert.equal(new Set(calls.map((call) => call.body.id)).size, 3);
  assert.ok(calls.every((call) => /^[0-9a-f]{32}$/.test(call.body.id) && call.keepalive));
  await tick(60_000);
  assert.equal(calls.length, 3);
});

test("a count stays within what one report may say", async () => {
  const { calls, fetch } = server(() => ({ body: {} }));
  const client = make(fetch);
  for (let i = 0; i < 1500; i++) client.impression("a");
  await client.flush();
  assert.equal(calls[0].body.count, 1000);
});

test("a report that failed goes again under the same id", async () => {
  const { calls, fetch } = server((_, n) => (n < 3 ? problem(503, "not_durable") : { body: {} }));
  const clicked = make(fetch).click("a");
  await settle();
  await tick(500);
  await tick(1000);
  await clicked;
  assert.equal(calls.length, 3);
  assert.equal(new Set(calls.map((call) => call.body.id)).size, 1);
});

for (const { name, status, code, tries } of [
  { name: "one that the server does not want is not sent again", status: 400, code: "invalid_value", tries: 1 },
  { name: "one that cannot be delivered is given up", status: 500, code: "internal", tries: 6 },
]) {
  test(name, async () => {
    const { calls, fetch } = server(() => problem(status, code));
    const dismissed = assert.rejects(make(fetch).dismiss("a"), { code });
    await settle();
    for (let i = 0; i < 10; i++) await tick(30_000);
    await dismissed;
    assert.equal(calls.length, tries);
  });
}

test("reports under way are bounded", async () => {
  const { fetch } = server(() => problem(503, "overloaded"));
  const client = make(fetch);
  const outcomes = [];
  for (let i = 0; i < 150; i++) client.click("a").catch((fault) => outcomes.push(fault));
  await settle();
  assert.equal(outcomes.length, 50);
  assert.ok(outcomes.every((fault) => fault instanceof TooManyReports));
  await client.close();
  assert.equal(outcomes.length, 150, "closing waits for the last try");
});

test("closing reports what is gathered, once", async () => {
  const { calls, fetch } = server(() => problem(503, "overloaded"));
  const client = make(fetch);
  client.impression("a");
  await client.close();
  assert.equal(calls.length, 1);
});

test("a page that goes away sends what is left, and what is not acknowledged under the same id", async () => {
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  try {
    const { calls, fetch } = server((_, n) => (n === 1 ? problem(503, "overloaded") : { body: {} }));
    const client = make(fetch);
    client.click("a").catch(() => {});
    await settle();
    client.impression("b");
    page.dispatchEvent(new Event("pagehide"));
    await settle();
    assert.deepEqual(calls.map((call) => call.body.kind), ["click", "click", "impression"]);
    assert.equal(calls[0].body.id, calls[1].body.id);
    assert.ok(calls.every((call) => call.keepalive));
    await client.close();
    const before = calls.length;
    client.impression("c");
    page.dispatchEvent(new Event("pagehide"));
    assert.equal(calls.length, before, "a closed client listens no more");
    await client.flush();
  } finally {
    delete globalThis.addEventListener;
  }
});
