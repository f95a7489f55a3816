// Names what is checked, so that a failure says which exchange of the session broke.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

export const world = JSON.parse(process.env.ELIGIBILITY_WORLD);

export async function step(name, run) {
  if (world.transcript) await fetch(`${world.url}/step`, { method: "POST", body: name });
  try {
    await run();
  } catch (error) {
    console.error(`FAILED ${name}: ${error.message}`, error.response?.status ?? "", JSON.stringify(error.response?.data ?? ""));
    process.exit(1);
  }
  console.log(`ok ${name}`);
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A user token as an app's backend signs it. */
export function token(claims, lifeSeconds = 3600) {
  const now = Math.floor(Date.now() / 1000);
  const iat = Math.min(now, now + lifeSeconds) - 1;
  const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ iat, exp: now + lifeSeconds, ...claims })}`;
  return `${body}.${createHmac("sha256", world.secret).update(body).digest("base64url")}`;
}

/** What the server answers without an SDK in between. */
export async function raw(query, headers = {}) {
  const answer = await fetch(`${world.url}/api/embedded-messaging/messages?${query}`, { headers: { "Api-Key": world.openKey, ...headers } });
  return { status: answer.status, etag: answer.headers.get("etag"), body: answer.status === 304 ? null : await answer.json() };
}

export const titles = (messages) => messages.map((m) => m.elements.title).sort().join(" ");
export const shown = (body) => titles(body.placements.flatMap((p) => p.embeddedMessages));
export { assert };
