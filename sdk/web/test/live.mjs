// The client against a replica: the stream, the fallback to polling, the tag, an empty answer, engagement, a token that expires.
import { Eligibility } from "../dist/index.js";
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
  return { addEventListener: (type, listener) => (listeners[type] ??= []).push(listener), close: () => ended.abort() };
}

const write = async (path, method, body) => {
  const answer = await fetch(world.url + path, { method, headers: { "Api-Key": world.serverKey, "Content-Type": "application/json" }, body: JSON.stringify(body) });
  assert.equal(answer.status, 200);
};
const statuses = [];
const counted = async (...args) => {
  const answer = await fetch(...args);
  if (String(args[0]).endsWith("/v1/eligibility")) statuses.push(answer.status);
  return answer;
};
const titles = (client) => client.placements.flatMap((p) => p.messages.map((m) => m.content.title)).sort().join(" ");

/** Waits until the client shows it. */
function shows(client, want) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`shows "${titles(client)}", want "${want}"`)), 5000);
    const look = () => {
      if (titles(client) !== want) return;
      clearTimeout(late);
      off();
      resolve();
    };
    const off = client.onChange(look);
    look();
  });
}

let asked = 0;
const live = new Eligibility({
  url: world.url, key: world.clientKey, token: async () => token({ userId: "own-1" }, asked++ === 0 ? -1 : 3600), fetch: counted, source, gather: 10,
});
await step("an expired token is replaced", async () => {
  await live.start();
  assert.equal(asked, 2);
  assert.equal(titles(live), "");
});
await step("the stream brings a change at once", async () => {
  await write("/v1/users/own-1", "PUT", { attributes: { country: "DE" } });
  await shows(live, "capped german");
});
await step("an impression, which the cap counts", async () => {
  const capped = live.placements.flatMap((p) => p.messages).find((m) => m.content.title === "capped");
  live.impression(capped.messageId);
  await shows(live, "german");
});
await step("a dismissal and a click", async () => {
  const german = live.placements.flatMap((p) => p.messages)[0];
  await live.click(german.messageId);
  await shows(live, "clicked german");
  await live.dismiss(german.messageId);
  await shows(live, "clicked");
});
await step("what is unchanged is a 304", async () => {
  statuses.length = 0;
  await live.refresh();
  assert.deepEqual(statuses, [304]);
});
await step("an empty answer clears", async () => {
  const other = new Eligibility({ url: world.url, key: world.openKey, userId: "own-2", source });
  await write("/v1/users/own-2", "PUT", { attributes: { country: "DE" } });
  await other.start();
  assert.equal(titles(other), "capped german");
  await write("/v1/users/own-2", "PUT", { attributes: { country: null } });
  await shows(other, "");
  await other.stop();
});
await step("without a stream it asks again by itself", async () => {
  const polling = new Eligibility({ url: world.url, key: world.openKey, userId: "own-3", minPoll: 20, maxPoll: 50, source: undefined });
  await polling.start();
  await write("/v1/users/own-3", "PUT", { attributes: { country: "DE" } });
  await shows(polling, "capped german");
  await polling.stop();
});
await step("a stream that breaks is no loss", async () => {
  let opened = 0;
  const broken = (url) => {
    opened++;
    const one = source(url.replace("token=", "token=broken"));
    return one;
  };
  const client = new Eligibility({ url: world.url, key: world.openKey, userId: "own-4", minPoll: 20, maxPoll: 50, source: broken });
  await client.start();
  await write("/v1/users/own-4", "PUT", { attributes: { country: "DE" } });
  await shows(client, "capped german");
  await client.stop();
  assert.ok(opened > 0);
});
await step("a refusal has its code", async () => {
  const client = new Eligibility({ url: world.url, key: world.suspendedKey, userId: "own-5", source });
  await assert.rejects(client.start(), { code: "key_suspended", status: 403 });
  await client.stop();
});
await live.stop();
