// The example page in headless Chromium, against a running demo: what a visitor does and what passes of itself, seen on the screen.
import assert from "node:assert/strict";
import { act, appears, ask, count, elsewhere, end, faults, open, options, page, publish, reported, shown, site, somebody, step, vanishes } from "./stage.mjs";

const house = "Good things, made to last";
const cart = "Still thinking about it?";
const garden = "Your garden called";

await step("the page of another origin shows both sides", async () => {
  assert.notEqual(site.url, options.url);
  await open(await somebody());
  await appears("own", 101, house);
  await appears("sdk", 101, house);
});
await step("a notification appears by a write", async () => {
  await act("search");
  await appears("own", 105, "Can we help you find it?");
});
await step("a card appears by a write, and its impression is reported", async () => {
  const told = reported("impression");
  await act("look");
  await appears("own", 102, garden);
  await told;
  await appears("sdk", 102, garden);
});
await step("the card vanishes by a purchase", async () => {
  await act("buy");
  await vanishes("own", 102, garden);
  await vanishes("sdk", 102, garden);
});

await step("a banner appears by time alone", async () => {
  await open(await somebody());
  const left = performance.now();
  const before = count("POST /v1/eligibility");
  await act("abandon");
  await appears("own", 101, cart);
  assert.ok(performance.now() - left >= 4990, "it comes when it is due and not before");
  assert.ok(count("POST /v1/eligibility") - before <= 3, "it was told, and did not poll");
  await appears("own", 105, cart); // the promotion is for both
  await appears("sdk", 101, cart);
});
await step("all three at once", async () => {
  await act("look");
  await appears("own", 102, garden);
  await appears("sdk", 102, garden);
  await page.waitForFunction(() => [...document.images].every((image) => image.complete && image.naturalWidth > 0));
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  if (process.env.ELIGIBILITY_SCREENSHOT) await page.screenshot({ path: process.env.ELIGIBILITY_SCREENSHOT, fullPage: true });
});
await step("a tap is reported, on both sides", async () => {
  const clicks = { own: reported("click"), sdk: page.waitForResponse((r) => r.url().endsWith("/api/embedded-messaging/events/click") && r.status() === 200) };
  for (const [side, told] of Object.entries(clicks)) {
    await page.locator(`#${side} [data-placement="101"]`).getByText("Back to the cart").click();
    await told;
  }
  assert.equal(await page.locator("#log").getByText("would go to https://shop.example/cart").count(), 2);
});
await step("what is put away goes, and is reported", async () => {
  const told = reported("dismiss");
  await page.locator('#own [data-placement="102"] .away').click();
  await told;
  await vanishes("own", 102, garden);
});
await step("the cart's messages vanish by a purchase", async () => {
  await act("buy");
  await vanishes("own", 101, cart);
  await vanishes("own", 105, cart);
  await appears("own", 101, house);
});

await step("impressions outlive the page", async () => {
  const third = await somebody();
  const seen = async () => JSON.stringify(await ask("GET", `/v1/users/${third}`)).includes("embedded_impression");
  await ask("PUT", `/v1/users/${third}`, { attributes: { country: "GB" } });
  options.gather = 600_000;
  await open(third);
  await appears("own", 101, house);
  assert.equal(await seen(), false, "they are still being gathered");
  await page.goto("about:blank");
  for (const late = Date.now() + 60_000; !(await seen()); ) assert.ok(Date.now() < late, "no impression arrived");
});
await step("nothing failed unseen, and nothing was asked of others", async () => {
  assert.deepEqual(faults, []);
  assert.deepEqual([...elsewhere], []);
  assert.equal(count("GET /v1/stream 200"), 3);
});

await step("words that pretend to be HTML are words", async () => {
  const hostile = `<img src=x onerror="window.hacked='WHERE'">`;
  const says = (where) => hostile.replace("WHERE", where);
  const placements = [101, 102, 105].map((placement) => ({ placement, priority: 1 }));
  await publish({
    id: "hostile", rule: "user.id == 'victim'", placements,
    content: { title: says("title"), body: says("body"), buttons: [{ id: "b", title: says("button"), action: { type: "openUrl", data: "https://shop.example/" } }] },
  });
  await open("victim");
  for (const placement of [101, 102, 105]) {
    await appears("own", placement, says("title"));
    await appears("own", placement, says("body"));
    await appears("own", placement, says("button"));
    await appears("sdk", placement, says("title"));
  }
  assert.equal(await page.locator("#own .message :not(strong, p, div, button, img)").count(), 0);
  assert.equal(await page.locator('#own img[src="x"]').count(), 0, "our side made no element of it");
  // The SDK's templates put a button's title into the page as HTML: there it is the page's policy that lets nothing run.
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  for (const fault of faults) assert.match(fault, /Content Security Policy|404/);
});
await end();
