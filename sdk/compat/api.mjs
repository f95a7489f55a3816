// What a backend does with the unmodified API client. It checks every answer against its own schema and throws when one does not fit.
import { inspect } from "node:util";
import { IterableClient } from "@iterable/api";
import { assert, shown, step, world } from "./step.mjs";

const client = new IterableClient({ apiKey: world.serverKey, baseUrl: world.url });
const told = (text) => (error) => text.test(inspect(error, { depth: 6 }));
const fetchAll = async (params) => shown(await client.getEmbeddedMessages({ platform: "Web", sdkVersion: "1", packageName: "shop", ...params }));

await step("update by id", async () => {
  const answer = await client.updateUser({ userId: "api-1", dataFields: { country: "DE" }, preferUserId: true });
  assert.equal(answer.code, "Success");
});
await step("update by address", async () => {
  assert.equal((await client.updateUser({ email: "api@example.com", dataFields: { country: "DE", age: 30 } })).code, "Success");
});
await step("look up", async () => {
  const { user } = await client.getUserByEmail({ email: "api@example.com" });
  assert.equal(user.email, "api@example.com");
  assert.equal(user.dataFields.age, 30);
  assert.equal((await client.getUserByUserId({ userId: "api-1" })).user.userId, "api-1");
});
await step("look up nobody", async () => {
  assert.equal((await client.getUserByEmail({ email: "nobody@example.com" })).user, undefined);
  await assert.rejects(client.getUserByUserId({ userId: "nobody" }));
});
await step("track one and many", async () => {
  assert.equal((await client.trackEvent({ userId: "api-1", eventName: "purchase", dataFields: { total: 3 } })).code, "Success");
  const answer = await client.trackBulkEvents({ events: [{ email: "api@example.com", eventName: "purchase" }, { userId: "api-2", eventName: "purchase" }] });
  assert.equal(answer.successCount, 2);
  assert.equal(answer.failCount, 0);
});
await step("messages", async () => {
  assert.equal(await fetchAll({ userId: "api-1" }), "buyer capped german");
  assert.equal(await fetchAll({ email: "api@example.com" }), "buyer capped german");
  assert.equal(await fetchAll({ email: "api@example.com", placementIds: [102] }), "capped german");
});
await step("update many", async () => {
  const answer = await client.bulkUpdateUsers({ users: [{ userId: "api-2", dataFields: { country: "FR" } }, { userId: "api-3", dataFields: { age: "old" } }] });
  assert.equal(answer.successCount, 1);
  assert.equal(answer.failCount, 1);
});
await step("a type clash", async () => {
  await assert.rejects(client.updateUser({ userId: "api-1", dataFields: { age: "old" } }), told(/RequestFieldsTypesMismatched/));
});
await step("subscriptions", async () => {
  assert.equal((await client.updateUserSubscriptions({ userId: "api-1", emailListIds: [1, 2] })).code, "Success");
  await client.subscribeUserByUserId?.({ subscriptionGroup: "emailList", subscriptionGroupId: 7, userId: "api-1" });
});
await step("change of address", async () => {
  assert.equal((await client.updateEmail({ currentEmail: "api@example.com", newEmail: "api2@example.com" })).code, "Success");
  assert.equal(await fetchAll({ email: "api2@example.com" }), "buyer capped german");
  assert.equal(await fetchAll({ email: "api@example.com" }), "");
});
await step("merge", async () => {
  await client.updateUser({ userId: "api-visitor", dataFields: { country: "DE" } });
  assert.equal((await client.mergeUsers({ sourceUserId: "api-visitor", destinationUserId: "api-4" })).code, "Success");
  assert.equal(await fetchAll({ userId: "api-4" }), "capped german");
});
await step("erase", async () => {
  assert.equal((await client.deleteUserByEmail({ email: "api2@example.com" })).code, "Success");
  assert.equal((await client.deleteUserByUserId({ userId: "api-4" })).code, "Success");
  assert.equal(await fetchAll({ userId: "api-4" }), "");
});
await step("a bad key", async () => {
  const bad = new IterableClient({ apiKey: "nobody", baseUrl: world.url });
  await assert.rejects(bad.trackEvent({ userId: "api-1", eventName: "purchase" }), told(/Invalid API Key/));
});
