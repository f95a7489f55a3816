// What the browser test stands on: the page served, a headless Chromium that reaches nothing but this machine, and words for what a visitor does.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { serve } from "../server.mjs";

const engine = process.env.ELIGIBILITY_URL;
const control = process.env.ELIGIBILITY_ADMIN_URL;
const keys = { clientKey: "demo-client-key", serverKey: "demo-server-key" };
/** How long is waited, in milliseconds, for what takes a moment on a quiet machine. */
const patience = 60_000;

/** What the page is served with; it reads it when it is opened. */
export const options = { url: engine, port: 0, poll: Number(process.env.ELIGIBILITY_POLL ?? 500), ...keys };
export const site = await serve(options);
const browser = await chromium.launch({
  timeout: patience, executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});
export const page = await browser.newPage({ viewport: { width: 1160, height: 900 }, deviceScaleFactor: 1 });
page.setDefaultTimeout(patience);

/** What went wrong in the page, and what it asked of others than the page's own server and the engine. */
export const faults = [];
export const elsewhere = new Set();
page.on("pageerror", (error) => faults.push(error.message));
page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
page.on("request", (request) => {
  const { origin, protocol } = new URL(request.url());
  if (protocol.startsWith("http") && origin !== site.url && origin !== engine) elsewhere.add(origin);
});
const calls = [];
page.on("response", (response) => {
  const { origin, pathname } = new URL(response.url());
  if (origin === engine) calls.push(`${response.request().method()} ${pathname} ${response.status()}`);
});
/** How many calls of the engine the page has made that begin so: "GET /v1/stream 200". */
export const count = (what) => calls.filter((call) => call.startsWith(what)).length;

export async function step(name, run) {
  const began = performance.now();
  try {
    await run();
  } catch (error) {
    console.error(`FAILED ${name}: ${error.message}\nfaults of the page: ${faults.join("; ")}\ncalls: ${calls.join(", ")}`);
    await page.screenshot({ path: process.env.ELIGIBILITY_SCREENSHOT ?? "dist/failed.png", fullPage: true }).catch(() => {});
    await browser.close();
    process.exit(1);
  }
  console.log(`ok ${name} (${Math.round(performance.now() - began)} ms)`);
}

export async function end() {
  await browser.close();
  await site.close();
}

async function call(base, key, method, path, body) {
  const answer = await fetch(base + path, { method, headers: { "Api-Key": key, "Content-Type": "application/json" }, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}
export const ask = (method, path, body) => call(engine, keys.serverKey, method, path, body);
/** Makes a promotion live in the demo. */
export async function publish(promotion) {
  const path = `/v1/projects/demo/promotions/${promotion.id}`;
  await call(control, "demo-admin-key", "PUT", path, { name: promotion.id, ...promotion });
  await call(control, "demo-admin-key", "POST", `${path}:publish?wait=5s`, { confirm: true });
}

/** Users who are shown the banner of the house and nothing else: one in four is in a test of a new look. */
async function* plainUsers() {
  for (let i = 0; ; i++) {
    const userId = `browser-${i}`;
    const { placements } = await ask("POST", "/v1/eligibility", { userId, placements: [101, 102, 105] });
    if (placements.flatMap((p) => p.messages).map((m) => m.promotion).join() === "house-banner") yield userId;
  }
}
const users = plainUsers();
export const somebody = async () => (await users.next()).value;

/** A message of this text, on the side "own" or "sdk" of the page. */
export const shown = (side, placement, text) => page.locator(`#${side} [data-placement="${placement}"]`).getByText(text, { exact: true });
export const appears = (side, placement, text) => shown(side, placement, text).waitFor({ state: "visible" });
export const vanishes = (side, placement, text) => shown(side, placement, text).waitFor({ state: "detached" });
/** A report of our client of this kind that the engine has stored. */
export const reported = (kind) => page.waitForResponse((r) => r.url().endsWith("/v1/engagement") && r.status() === 200 && r.request().postData().includes(`"${kind}"`));
/** Presses a button, and waits until its write is stored. */
export async function act(name) {
  const stored = page.waitForResponse((response) => response.url().endsWith("/act"));
  await page.click(`[data-act="${name}"]`);
  assert.equal((await stored).status(), 200);
}
/** Opens the page as a user, and waits until the live stream has said its first word: before that it is polling that brings changes. */
export async function open(userId) {
  await page.goto(`${site.url}/?user=${encodeURIComponent(userId)}`);
  await page.waitForFunction(() => performance.getEntriesByType("resource").filter((r) => r.name.endsWith("/v1/eligibility")).length >= 2);
}
