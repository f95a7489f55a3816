import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { createClient } from "../../dist/index.js";
import { answer, problem, server, settle, Wire } from "./world.mjs";

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  mock.method(Math, "random", () => 0);
  Wire.all = [];
});
const restore = () => {
  mock.timers.reset();
  mock.restoreAll();
};

/** A page that watches; state says what the server does. */
function page(state, more = {}) {
  const { calls, fetch } = server((call) => {
    if (state.down) return problem(state.down.status, state.down.code, state.down.headers);
    if (call.path === "/v1/stream-tokens") return state.noStream ? problem(503, "overloaded") : { body: { url: `/v1/stream?token=${calls.length}` } };
    const now = answer(state.ids, { left: state.left });
    return call.headers["If-None-Match"] === now.headers.ETag
      ? { status: 304, headers: now.body.validUntil ? { "Eligibility-Valid-Until": now.body.validUntil } : {} }
      : now;
  });
  const client = createClient({ url: "http://api.test", key: "k", userId: "ada", fetch, source: (url) => new Wire(url), ...more });
  const heard = [];
  const faults = [];
  const count = (path) => calls.filter((call) => call.path === path).length;
  return {
    client, heard, faults, asks: () => count("/v1/eligibility"), tokens: () => count("/v1/stream-tokens"),
    watch: (question = {}) => client.watch(question, (placements) => heard.push(placements.flatMap((p) => p.messages.map((m) => m.messageId)).join()), (f) => faults.push(f.code)),
    tick: async (wait) => {
      mock.timers.tick(wait);
      await settle();
    },
  };
}

const cases = {
  "a callback hears the first answer, changes and emptiness, and nothing twice": async () => {
    const state = { ids: ["a"] };
    const p = page(state);
    p.watch();
    await settle();
    const [wire] = Wire.all;
    assert.match(wire.url, /^http:\/\/api\.test\/v1\/stream\?token=/);
    wire.say("changed");
    await settle();
    assert.deepEqual(p.heard, ["a"]);
    state.ids = ["a", "b"];
    wire.say("changed");
    await settle();
    state.ids = [];
    wire.say("changed");
    await settle();
    assert.deepEqual(p.heard, ["a", "a,b", ""]);
    await p.client.close();
    assert.equal(wire.closed, true);
  },
  "a user without messages hears that": async () => {
    const p = page({ ids: [] });
    p.watch();
    await settle();
    assert.deepEqual(p.heard, [""]);
    await p.client.close();
  },
  "a live stream ends the polling, but for doubt": async () => {
    const p = page({ ids: ["a"], left: 10_000 });
    p.watch();
    await settle();
    Wire.all[0].say("changed");
    await settle();
    assert.equal(p.asks(), 2);
    await p.tick(14_999);
    assert.equal(p.asks(), 2, "the stream is given time to say that the answer has ended");
    await p.tick(1);
    assert.equal(p.asks(), 3);
    await p.client.close();
  },
  "an answer without end is doubted after five minutes": async () => {
    const p = page({ ids: ["a"] });
    p.watch();
    await settle();
    Wire.all[0].say("changed");
    await settle();
    await p.tick(299_999);
    assert.equal(p.asks(), 2);
    await p.tick(1);
    assert.equal(p.asks(), 3);
    await p.client.close();
  },
  "without a stream it polls when the answer ends, within bounds": async () => {
    for (const { left, wait } of [{ left: 10_000, wait: 10_000 }, { left: 5, wait: 1000 }, { left: undefined, wait: 60_000 }, { left: 1e9, wait: 60_000 }]) {
      const p = page({ ids: ["a"], left }, { source: null });
      p.watch();
      await settle();
      await p.tick(wait - 1);
      assert.equal(p.asks(), 1, `${left}`);
      await p.tick(1);
      assert.equal(p.asks(), 2, `${left}`);
      assert.equal(p.tokens(), 0);
      await p.client.close();
    }
  },
  "a stream that is refused is tried again ever more rarely, while it polls": async () => {
    const state = { ids: ["a"], noStream: true };
    const p = page(state);
    p.watch();
    await settle();
    for (const wait of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      const before = p.tokens();
      await p.tick(wait - 1);
      assert.equal(p.tokens(), before, `before ${wait}`);
      await p.tick(1);
      assert.equal(p.tokens(), before + 1, `after ${wait}`);
    }
    assert.ok(p.asks() >= 2);
    state.noStream = false;
    await p.tick(30_000);
    assert.equal(Wire.all.length, 1);
    await p.client.close();
  },
  "a stream that breaks is opened anew with another token, and what was missed is heard": async () => {
    const state = { ids: ["a"] };
    const p = page(state);
    p.watch();
    await settle();
    Wire.all[0].say("changed");
    await p.tick(3_600_000); // streams end after an hour
    state.ids = ["b"];
    Wire.all[0].say("error");
    Wire.all[0].say("error"); // an old stream has nothing more to say
    assert.equal(Wire.all[0].closed, true);
    await p.tick(500);
    assert.equal(Wire.all.length, 2);
    assert.notEqual(Wire.all[0].url, Wire.all[1].url);
    Wire.all[1].say("changed");
    await settle();
    assert.deepEqual(p.heard, ["a", "b"]);
    Wire.all[1].say("error"); // sooner than a stream that stands
    await p.tick(999);
    assert.equal(Wire.all.length, 2, "two in a row wait longer");
    await p.tick(1);
    assert.equal(Wire.all.length, 3);
    await p.client.close();
  },
  "a word of change while asking asks once more": async () => {
    let release;
    const ids = ["a"];
    const { calls, fetch } = server(async (call) => {
      if (call.path === "/v1/stream-tokens") return { body: { url: "/v1/stream?token=1" } };
      const now = answer([...ids]);
      if (calls.filter((c) => c.path === "/v1/eligibility").length === 2) await new Promise((resolve) => (release = resolve));
      return now;
    });
    const client = createClient({ url: "http://api.test", key: "k", userId: "ada", fetch, source: (url) => new Wire(url) });
    const heard = [];
    client.watch({}, (placements) => heard.push(placements[0].messages[0].messageId));
    await settle();
    Wire.all[0].say("changed");
    await settle();
    ids[0] = "b"; // after the server has looked
    for (let i = 0; i < 5; i++) Wire.all[0].say("changed");
    release();
    await settle();
    assert.deepEqual(heard, ["a", "b"]);
    assert.equal(calls.filter((c) => c.path === "/v1/eligibility").length, 3, "five words make one question");
    await client.close();
  },
  "through faults the messages stay, and it asks ever more rarely": async () => {
    const state = { ids: ["a"] };
    const p = page(state, { source: null });
    p.watch();
    await settle();
    state.down = { status: 500, code: "internal" };
    await p.tick(60_000);
    for (const wait of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      const before = p.asks();
      await p.tick(wait - 1);
      assert.equal(p.asks(), before, `before ${wait}`);
      await p.tick(1);
      assert.equal(p.asks(), before + 1, `after ${wait}`);
    }
    assert.deepEqual(p.heard, ["a"]);
    assert.ok(p.faults.every((code) => code === "internal") && p.faults.length === 9, `${p.faults}`);
    state.down = undefined;
    state.ids = ["b"];
    await p.tick(30_000);
    assert.deepEqual(p.heard, ["a", "b"]);
    await p.client.close();
  },
  "Retry-After is kept": async () => {
    const state = { ids: ["a"], down: { status: 429, code: "rate_limited", headers: { "Retry-After": "7" } } };
    const p = page(state);
    p.watch();
    await settle();
    await p.tick(6999);
    assert.equal(p.asks() + p.tokens(), 2);
    await p.tick(1);
    assert.equal(p.asks() + p.tokens(), 4);
    await p.client.close();
  },
  "a suspended key shows nothing, until it is resumed": async () => {
    const state = { ids: ["a"] };
    const p = page(state, { source: null });
    p.watch();
    await settle();
    state.down = { status: 403, code: "key_suspended" };
    await p.tick(60_000);
    assert.deepEqual(p.heard, ["a", ""]);
    state.down = undefined;
    await p.tick(500);
    assert.deepEqual(p.heard, ["a", "", "a"]);
    await p.client.close();
  },
  "equal questions share a stream, and the last to stop closes it": async () => {
    const p = page({ ids: ["a"] });
    const stops = [p.watch({ placements: [101, 102] }), p.watch({ placements: [102, 101] })];
    await settle();
    stops.push(p.watch({ userId: "ada", placements: [101, 102] })); // a late one hears at once
    assert.deepEqual(p.heard, ["a", "a", "a"]);
    assert.equal(Wire.all.length, 1);
    stops[0]();
    stops[0](); // twice is no fault
    stops[1]();
    assert.equal(Wire.all[0].closed, false);
    stops[2]();
    assert.equal(Wire.all[0].closed, true);
    const asked = p.asks();
    await p.tick(10_000_000);
    assert.equal(p.asks(), asked, "nothing goes on");
    p.watch({ placements: [101, 102] });
    await settle();
    assert.equal(Wire.all.length, 2, "it can be watched again");
    await p.client.close();
  },
  "stopping before the token came opens no stream": async () => {
    const p = page({ ids: ["a"] });
    p.watch()();
    await settle();
    assert.equal(Wire.all.length, 0);
    assert.deepEqual(p.heard, []);
  },
  "a callback that throws hinders nobody": async () => {
    const p = page({ ids: ["a"] });
    const thrown = [];
    const catcher = (error) => thrown.push(error.message);
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", catcher);
    p.client.watch({}, () => {
      throw new Error("not mine");
    });
    p.watch();
    await settle();
    process.removeListener("uncaughtException", catcher);
    for (const listener of before) process.on("uncaughtException", listener);
    assert.deepEqual(p.heard, ["a"]);
    assert.deepEqual(thrown, ["not mine"]);
    await p.client.close();
  },
};

for (const [name, run] of Object.entries(cases)) {
  test(name, async () => {
    try {
      await run();
    } finally {
      restore();
    }
  });
}
