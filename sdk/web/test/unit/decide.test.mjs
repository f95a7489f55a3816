import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createClient, Refused } from "../../dist/index.js";
import { answer, problem, server } from "./world.mjs";

const start = 1_700_000_000_000;
const make = (fetch, more) => createClient({ url: "http://api.test/", key: "k", fetch, source: null, ...more });
const ids = (a) => a.placements.flatMap((p) => p.messages.map((m) => m.messageId)).join();

function clock(t) {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: start });
  t.after(() => mock.timers.reset());
}

test("an unchanged answer is asked for by its tag and costs a 304", async () => {
  const { calls, fetch } = server((call) => (call.headers["If-None-Match"] ? { status: 304 } : answer(["a"])));
  const client = make(fetch);
  const first = await client.decide({ userId: "ada", placements: [102, 101] });
  const second = await client.decide({ placements: [101, 102], userId: "ada" });
  assert.deepEqual(second, first);
  assert.equal(calls.length, 2);
  assert.equal(calls[0].headers["If-None-Match"], undefined);
  assert.equal(calls[1].headers["If-None-Match"], 'W/"a"');
  assert.deepEqual(calls[0].body, { userId: "ada", placements: [101, 102] });
  await client.decide({ userId: "ben" });
  assert.equal(calls[2].headers["If-None-Match"], undefined, "another question has no tag yet");
});

test("a known answer is given within maxAge, and not after its end", async (t) => {
  clock(t);
  const { calls, fetch } = server(() => answer(["a"], { left: 30_000 }));
  const client = make(fetch);
  const asks = async (asking) => {
    const before = calls.length;
    await client.decide({}, asking);
    return calls.length > before;
  };
  assert.equal(await asks({ maxAge: 1000 }), true, "nothing is known");
  assert.equal(await asks({ maxAge: 1000 }), false);
  assert.equal(await asks(), true, "without maxAge it always asks");
  mock.timers.tick(999);
  assert.equal(await asks({ maxAge: 1000 }), false);
  mock.timers.tick(1);
  assert.equal(await asks({ maxAge: 1000 }), true);
  mock.timers.tick(29_999);
  assert.equal(await asks({ maxAge: Infinity }), false);
  mock.timers.tick(1);
  assert.equal(await asks({ maxAge: Infinity }), true, "validUntil has passed");
  assert.equal(await asks({ maxAge: Infinity, minAsOf: "1.0" }), true, "what is known may be of before the write");
  assert.equal(calls.at(-1).body.minAsOf, "1.0");
});

for (const { name, skew } of [{ name: "an hour ahead", skew: 3_600_000 }, { name: "an hour behind", skew: -3_600_000 }]) {
  test(`validUntil is read right by a page whose clock is ${name}`, async (t) => {
    clock(t);
    const { calls, fetch } = server((call) =>
      call.headers["If-None-Match"]
        ? { status: 304, headers: { "Eligibility-Valid-Until": new Date(Date.now() - skew + 10_000).toISOString() } }
        : answer(["a"], { now: Date.now() - skew, left: 10_000 }));
    const client = make(fetch);
    for (let round = 1; round <= 2; round++) { // the second one is a 304
      await client.decide();
      mock.timers.tick(9999);
      await client.decide({}, { maxAge: Infinity });
      assert.equal(calls.length, round);
      mock.timers.tick(1);
    }
  });
}

test("an answer that was overtaken is not remembered", async () => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const { fetch } = server((_, n) => (n === 1 ? held.then(() => answer(["old"])) : answer(["new"])));
  const client = make(fetch);
  const slow = client.decide();
  await client.decide();
  release();
  assert.equal(ids(await slow), "old");
  assert.equal(ids(await client.decide({}, { maxAge: 60_000 })), "new");
});

test("memory of questions is bounded", async () => {
  const { calls, fetch } = server((call) => answer([call.body.userId]));
  const client = make(fetch);
  for (let i = 0; i < 40; i++) await client.decide({ userId: `u${i}` });
  const tagged = async (userId) => {
    await client.decide({ userId });
    return calls.at(-1).headers["If-None-Match"] !== undefined;
  };
  assert.equal(await tagged("u39"), true);
  assert.equal(await tagged("u0"), false);
});

test("an expired token is renewed once, by one call for all that wait", async () => {
  let made = 0;
  const { calls, fetch } = server((call) => (call.headers.Authorization === "Bearer t1" ? problem(401, "expired_token") : answer([])));
  const client = make(fetch, { getToken: async () => `t${++made}` });
  await Promise.all([client.decide({ userId: "a" }), client.decide({ userId: "b" })]);
  assert.equal(made, 2);
  assert.deepEqual(calls.map((call) => call.headers.Authorization).sort(), ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]);
});

test("a token that stays refused is a refusal, not a loop", async () => {
  let made = 0;
  const { calls, fetch } = server(() => problem(401, "expired_token"));
  await assert.rejects(make(fetch, { getToken: async () => `t${++made}` }).decide(), { code: "expired_token" });
  assert.equal(calls.length, 2);
  assert.equal(made, 2);
});

test("a token that could not be made is asked for again the next time", async () => {
  let made = 0;
  const { fetch } = server(() => answer([]));
  const client = make(fetch, { getToken: async () => (++made === 1 ? Promise.reject(new Error("signed out")) : "t") });
  await assert.rejects(client.decide(), { message: "signed out" });
  await client.decide();
});

for (const { name, reply, want } of [
  { name: "the server's", reply: problem(403, "key_suspended"), want: { status: 403, code: "key_suspended", message: "is key_suspended", requestId: "r1", retryAfter: 0, barred: true, temporary: false } },
  { name: "for a while", reply: problem(503, "overloaded", { "Retry-After": "3" }), want: { status: 503, code: "overloaded", retryAfter: 3000, barred: false, temporary: true } },
  { name: "for weeks", reply: problem(503, "overloaded", { "Retry-After": "9999999" }), want: { retryAfter: 3_600_000 } },
  { name: "until a date", reply: problem(503, "overloaded", { "Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT" }), want: { retryAfter: 0 } },
  { name: "a proxy's", reply: { status: 502, body: "<html>" }, want: { status: 502, code: "", message: "status 502", temporary: true } },
]) {
  test(`a refusal has what is known of it: ${name}`, async () => {
    const { fetch } = server(() => reply);
    await assert.rejects(make(fetch).decide(), (fault) => {
      assert.ok(fault instanceof Refused);
      for (const [field, value] of Object.entries(want)) assert.equal(fault[field], value, field);
      return true;
    });
  });
}
