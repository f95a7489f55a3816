// The client against a replica: the stream, the fallback to polling, the tag, an empty answer, engagement, a token that expires, a key that is suspended.
import { createClient } from "../dist/index.js";
import { assert, step, token, world } from "../../compat/step.mjs";

/** A source of events over fetch, which Node 20 has no EventSource for. */
function source(url) {
  const listeners = {};
  const ended = new AbortController();
  const tell = (type) => (listeners[type] ?? []).forEach((listener) => listener());
  (async () => {
    const answer = await fetch(url, { signal: ended.signal });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    tell("open");
    for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) if (chunk.includes("event: changed")) tell("changed");
    throw new Error("ended");
  })().catch(() => ended.signal.aborted || tell("error"));
  return {
    addEventListener: (type, listener) => (listeners[type] ??= []).push(listener), close: () => ended.abort(),
    cut: () => {
      ended.abort();
      tell("error");
    },
  };
}

const write = async (path, method, body) => {
  const answer = await fetch(world.url + path, { method, headers: { "Api-Key": world.serverKey, "Content-Type": "application/json" }, body: JSON.stringify(body) });
  assert.equal(answer.status, 200);
  return (await answer.json()).asOf;
};
const statuses = [];
const counted = async (...args) => {
  const answer = await fetch(...args);
  if (String(args[0]).endsWith("/v1/eligibility")) statuses.push(answer.status);
  return answer;
};
const all = (placements) => placements.flatMap((p) => p.messages);
const titles = (placements) => all(placements).map((m) => m.content.title).sort().join(" ");

/** Watches, and can wait until a list of titles is shown. */
function screen(client, question = {}) {
  let shown;
  let look = () => {};
  const faults = [];
  const stop = client.watch(question, (placements) => {
    shown = placements;
    look();
  }, (fault) => faults.push(fault));
  return {
    stop, faults, titles: () => (shown ? titles(shown) : "nothing yet"), find: (title) => all(shown).find((m) => m.content.title === title),
    shows: (want) => new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`shows "${shown && titles(shown)}", want "${want}" (${faults})`)), 5000);
      look = () => {
        if (!shown || titles(shown) !== want) return;
        clearTimeout(late);
        resolve();
      };
      look();
    }),
  };
}

let asked = 0;
const live = createClient({
  url: world.url, key: world.clientKey, getToken: async () => token({ userId: "own-1" }, asked++ === 0 ? -1 : 3600), fetch: counted, source, gather: 10,
});
await step("an expired token is replaced, once", async () => {
  assert.equal(titles((await live.decide()).placements), "");
  assert.equal(asked, 2);
});
const page = screen(live);
await step("a user without messages is told so", () => page.shows(""));
let asOf;
await step("the stream brings a change at once", async () => {
  asOf = await write("/v1/users/own-1", "PUT", { attributes: { country: "DE" } });
  await page.shows("capped german");
});
await step("a write's stamp is seen by the next decision", async () => {
  assert.equal(titles((await live.decide({}, { minAsOf: asOf, maxAge: Infinity })).placements), "capped german");
});
await step("an impression, which the cap counts", async () => {
  live.impression(page.find("capped").messageId);
  await page.shows("german");
});
await step("a dismissal and a click", async () => {
  const german = page.find("german");
  await live.click(german.messageId);
  await page.shows("clicked german");
  await live.dismiss(german.messageId);
  await page.shows("clicked");
});
await step("what is unchanged is a 304, and what is young enough is not asked for", async () => {
  await live.decide();
  statuses.length = 0;
  await live.decide();
  await live.decide({}, { maxAge: 60_000 });
  assert.deepEqual(statuses, [304]);
});
await step("one placement", async () => {
  const answer = await live.decide({ placements: [103] });
  assert.deepEqual(answer.placements.map((p) => p.placement), [103]);
});
await step("an empty answer clears", async () => {
  const other = createClient({ url: world.url, key: world.openKey, userId: "own-2", source });
  await write("/v1/users/own-2", "PUT", { attributes: { country: "DE" } });
  const one = screen(other);
  await one.shows("capped german");
  await write("/v1/users/own-2", "PUT", { attributes: { country: null } });
  await one.shows("");
  await other.close();
});
await step("without a stream it asks again by itself", async () => {
  const polling = createClient({ url: world.url, key: world.openKey, userId: "own-3", minPoll: 20, maxPoll: 50, source: null });
  const one = screen(polling);
  await one.shows("");
  await write("/v1/users/own-3", "PUT", { attributes: { country: "DE" } });
  await one.shows("capped german");
  await polling.close();
});
await step("a stream that is refused is no loss", async () => {
  let opened = 0;
  const broken = (url) => {
    opened++;
    return source(url.replace("token=", "token=broken"));
  };
  const client = createClient({ url: world.url, key: world.openKey, userId: "own-4", minPoll: 20, maxPoll: 50, source: broken });
  const one = screen(client);
  await one.shows("");
  await write("/v1/users/own-4", "PUT", { attributes: { country: "DE" } });
  await one.shows("capped german");
  await client.close();
  assert.ok(opened > 0);
});
await step("a stream that breaks comes back, and what was missed is shown", async () => {
  const opened = [];
  const breaking = (url) => {
    const one = source(url);
    opened.push(one);
    return one;
  };
  const client = createClient({ url: world.url, key: world.openKey, userId: "own-6", minPoll: 20, maxPoll: 60_000, source: breaking });
  const one = screen(client);
  await one.shows("");
  await write("/v1/users/own-6", "PUT", { attributes: { country: "DE" } });
  await one.shows("capped german");
  opened[0].cut();
  await write("/v1/users/own-6", "PUT", { attributes: { country: null } });
  await one.shows("");
  await write("/v1/users/own-6", "PUT", { attributes: { country: "DE" } });
  await one.shows("capped german");
  assert.ok(opened.length > 1);
  await client.close();
});
await step("a refusal has its code, and a suspended key clears", async () => {
  const client = createClient({ url: world.url, key: world.suspendedKey, userId: "own-5", source });
  await assert.rejects(client.decide(), { name: "Refused", code: "key_suspended", status: 403 });
  const one = screen(client);
  await one.shows("");
  assert.equal(one.faults[0].code, "key_suspended");
  await client.close();
});
await step("what the page got wrong is told as such", async () => {
  await assert.rejects(live.decide({ context: { unheardOf: 1 } }), { code: "undeclared_context" });
  await assert.rejects(live.decide({ userId: "own-2" }), { code: "user_mismatch" });
});
await step("closing reports what is left", async () => {
  const client = createClient({ url: world.url, key: world.openKey, userId: "own-4", gather: 60_000, source: null });
  const before = await client.decide();
  client.impression(all(before.placements).find((m) => m.content.title === "capped").messageId);
  await client.close();
  assert.equal(titles((await client.decide()).placements), "german");
});
await live.close();
