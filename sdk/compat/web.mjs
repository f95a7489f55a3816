// A session of an app that uses the unmodified web SDK, in a page of another origin than the server's.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { JSDOM, VirtualConsole } from "jsdom";
import { assert, raw, shown, step, titles, token, world } from "./step.mjs";

const source = readFileSync(createRequire(import.meta.url).resolve("@iterable/web-sdk/index.js"), "utf8");
const app = "shop";
const rejections = [];
process.on("unhandledRejection", (reason) => rejections.push(reason));

/** A page with the SDK in it. */
function page() {
  // A console that nobody reads: refused calls are part of the session.
  const { window } = new JSDOM("<!doctype html><p>", { url: "http://shop.test:3000/", runScripts: "outside-only", virtualConsole: new VirtualConsole() });
  window.eval(source);
  return { window, sdk: window["@iterable/web-sdk"] };
}

const open = [];
async function begin(key, generateJWT) {
  const { window, sdk } = page();
  open.push(window);
  const auth = sdk.initializeWithConfig({
    authToken: key, configOptions: { baseURL: `${world.url}/api`, isEuIterableService: false }, generateJWT,
  });
  return { window, sdk, auth };
}

const sync = (manager, ids) => manager.syncMessages(app, () => {}, ids);

let asked = [];
const jwt = async ({ userID, email }) => {
  asked.push(userID ?? email);
  return token(userID ? { userId: userID } : { email });
};

const { sdk, auth } = await begin(world.clientKey, jwt);
const manager = new sdk.IterableEmbeddedManager(app);
const find = (title) => manager.getMessages().find((m) => m.elements.title === title);

await step("identify", async () => {
  await auth.setUserID("web-1");
  assert.deepEqual([...new Set(asked)], ["web-1"]);
});
await step("nothing to see yet", async () => {
  await sync(manager);
  assert.equal(manager.getMessages().length, 0);
});
await step("update", async () => {
  const answer = await sdk.updateUser({ dataFields: { country: "DE" } });
  assert.equal(answer.status, 200);
  assert.equal(JSON.stringify(answer.data), '{"msg":"","code":"Success","params":null}'); // the page's objects are of another realm
});
await step("become eligible by an attribute", async () => {
  await sync(manager);
  assert.equal(titles(manager.getMessages()), "capped german");
  assert.equal(manager.getMessagesForPlacement(102).length, 2);
});
await step("track, and become eligible by an event", async () => {
  assert.equal((await sdk.track({ eventName: "purchase", dataFields: { total: 5 } })).data.code, "Success");
  await sync(manager);
  assert.equal(titles(manager.getMessages()), "buyer capped german");
});
await step("the order is that of priority", async () => {
  const list = manager.getMessagesForPlacement(102);
  assert.equal(Array.from(list, (m) => m.metadata.priorityOrder + m.elements.title).join(), "1german,2capped");
});
await step("one placement", async () => {
  const other = new sdk.IterableEmbeddedManager(app);
  await sync(other, [102]);
  assert.equal(titles(other.getMessages()), "capped german");
});
await step("the message keeps its id", async () => {
  const before = find("german").metadata.messageId;
  await sync(manager);
  assert.equal(find("german").metadata.messageId, before);
});
await step("an impression session, which the cap counts", async () => {
  const session = new sdk.IterableEmbeddedSessionManager(app);
  session.startSession();
  session.startImpression(find("capped").metadata.messageId, 102);
  await new Promise((resolve) => setTimeout(resolve, 20));
  session.pauseImpression(find("capped").metadata.messageId);
  await session.endSession();
  await sync(manager);
  assert.equal(titles(manager.getMessages()), "buyer german");
});
await step("a click, which a rule counts", async () => {
  const message = find("german");
  const answer = await sdk.trackEmbeddedClick({ messageId: message.metadata.messageId, buttonIdentifier: "", targetUrl: "https://x", appPackageName: app });
  assert.equal(answer.data.code, "Success");
  await sync(manager);
  assert.equal(titles(manager.getMessages()), "buyer clicked german");
});
await step("a dismissal", async () => {
  const answer = await sdk.baseIterableRequest({
    method: "POST", url: "/embedded-messaging/events/dismiss",
    data: { messageId: find("german").metadata.messageId, buttonIdentifier: "", createdAt: Date.now(), deviceInfo: { appPackageName: app } },
  });
  assert.equal(answer.data.code, "Success");
  await sync(manager);
  assert.equal(titles(manager.getMessages()), "buyer clicked");
});
await step("commerce", async () => {
  assert.equal((await sdk.updateCart({ items: [{ id: "1", name: "a", price: 2, quantity: 1 }] })).data.code, "Success");
  assert.equal((await sdk.trackPurchase({ items: [{ id: "1", name: "a", price: 2, quantity: 1 }], total: 2 })).data.code, "Success");
});
await step("subscriptions", async () => {
  assert.equal((await sdk.updateSubscriptions({ emailListIds: [1], unsubscribedChannelIds: [2] })).data.code, "Success");
});
await step("a type clash is told, and the page lives on", async () => {
  await assert.rejects(sdk.updateUser({ dataFields: { age: "old" } }), (e) => e.response.status === 400 && e.response.data.code === "RequestFieldsTypesMismatched");
});
await step("another user's token", async () => {
  const wrong = await begin(world.clientKey, async () => token({ userId: "web-2" }));
  await assert.rejects(wrong.auth.setUserID("web-1")); // after three tries, without saying why
  const answer = await raw("userId=web-1", { "Api-Key": world.clientKey, Authorization: `Bearer ${token({ userId: "web-2" })}` });
  assert.equal(`${answer.status} ${answer.body.code}`, "401 JwtUserIdentifiersMismatched");
  const other = new wrong.sdk.IterableEmbeddedManager(app);
  await sync(other);
  assert.equal(other.getMessages().length, 0);
});
await step("in-app stubs", async () => {
  const answer = await sdk.baseIterableRequest({ method: "GET", url: "/inApp/web/getMessages", params: { count: 1, packageName: app } });
  assert.equal(answer.data.inAppMessages.length, 0);
});
await step("an expired token is renewed once and the call made again", async () => {
  let calls = 0;
  const late = await begin(world.clientKey, async ({ userID }) => token({ userId: userID }, ++calls === 1 ? -1 : 3600));
  await late.auth.setUserID("web-1").catch(() => {}); // whichever of its tries the SDK reports
  const other = new late.sdk.IterableEmbeddedManager(app);
  await sync(other);
  assert.ok(calls >= 2, `${calls} tokens`);
  assert.equal(titles(other.getMessages()), "buyer clicked");
});
await step("a change of address", async () => {
  const mail = await begin(world.clientKey, jwt);
  asked = [];
  await mail.auth.setEmail("web-old@example.com");
  await mail.sdk.updateUser({ dataFields: { country: "DE" } });
  const old = new mail.sdk.IterableEmbeddedManager(app);
  await sync(old);
  assert.equal(titles(old.getMessages()), "capped german");
  await mail.sdk.updateUserEmail("web-new@example.com");
  assert.ok(asked.includes("web-new@example.com"), `tokens asked for: ${asked}`);
  const next = new mail.sdk.IterableEmbeddedManager(app);
  await sync(next);
  assert.equal(titles(next.getMessages()), "capped german");
  assert.equal(shown((await raw("email=web-old@example.com")).body), "");
});
await step("eligibility is lost", async () => {
  await sdk.updateUser({ dataFields: { country: "FR" } });
  const body = (await raw("userId=web-1")).body;
  assert.equal(shown(body), "buyer clicked"); // by events alone
});
await step("a bad key turns embedded messaging off", async () => {
  const bad = await begin("elg_client_nobody_aaaaaaaaaaaaaaaaaaaaaaaaaa", jwt);
  await bad.auth.setUserID("web-1").catch(() => {});
  const off = new bad.sdk.IterableEmbeddedManager(app);
  let disabled = 0;
  off.addUpdateListener({ onMessagesUpdated() {}, onEmbeddedMessagingDisabled: () => disabled++ });
  await sync(off);
  assert.equal(disabled, 1);
});
await step("a suspended key does so too", async () => {
  const off = await begin(world.suspendedKey, jwt);
  await off.auth.setUserID("web-1").catch(() => {});
  const m = new off.sdk.IterableEmbeddedManager(app);
  let disabled = 0;
  m.addUpdateListener({ onMessagesUpdated() {}, onEmbeddedMessagingDisabled: () => disabled++ });
  await sync(m);
  assert.equal(disabled, 1);
});
await step("a key of another origin is no use to this page", async () => {
  const other = await begin(world.elsewhereKey, jwt);
  await assert.rejects(other.auth.setUserID("web-1"));
});
await step("polling costs a 304", async () => {
  const first = await raw("userId=web-1");
  assert.equal((await raw("userId=web-1", { "If-None-Match": first.etag })).status, 304);
});
await step("nothing failed unseen", async () => assert.deepEqual(rejections, []));

for (const window of open) window.close();
process.exit(0);
