// The shop's backend: it gives out the page, and does for it what an app must not do by itself, with the server key that no page may hold.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { acts } from "./acts.mjs";
import { draw } from "./pictures.mjs";

const root = new URL(".", import.meta.url);
const files = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/style.css": ["style.css", "text/css; charset=utf-8"],
  "/page.js": ["dist/page.js", "text/javascript; charset=utf-8"],
  "/page.js.map": ["dist/page.js.map", "application/json"],
};
const maxBody = 1024;

/** A refusal of this backend, which the page shows. */
class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function readBody(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > maxBody) throw new Refusal(413, "the body is too large");
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new Refusal(400, "the body is not JSON");
  }
}

/** Writes what an act means; returns the stamp of the write. */
async function perform(asked, { url, serverKey }) {
  const { userId, act } = asked ?? {};
  if (typeof userId !== "string" || typeof act !== "string" || !Object.hasOwn(acts, act)) {
    throw new Refusal(400, `want a userId, and an act of ${Object.keys(acts).join(", ")}`);
  }
  const { events, attributes } = acts[act](userId);
  const path = events ? "/v1/events" : "/v1/users:bulk";
  const answer = await fetch(url + path, {
    method: "POST", headers: { "Api-Key": serverKey, "Content-Type": "application/json" }, body: JSON.stringify(events ?? [attributes]),
    signal: AbortSignal.timeout(5000),
  });
  const result = await answer.json();
  if (!answer.ok || result.failed?.length > 0) throw new Refusal(502, `the engine refused: ${result.code ?? result.failed[0].code}`);
  return { asOf: result.asOf };
}

/** What the page may load and run: its own script and nothing that stands in a message. The SDK's templates bring style attributes. */
const policy = (engine) => [
  "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' https: data:", `connect-src 'self' ${engine}`,
  "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
].join("; ");

/**
 * Serves the page on loopback until close.
 * @param {{url: string, clientKey: string, serverKey: string, port: number, poll: number, gather?: number}} options the engine's decision plane, its keys,
 * where to listen (port 0 picks one), how often the SDK's side of the page asks, and how long our side gathers impressions, in milliseconds
 */
export async function serve(options) {
  const headers = { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": policy(options.url) };
  const handle = async (request, response) => {
    const send = (status, type, body) => response.writeHead(status, { ...headers, "Content-Type": type }).end(body);
    const json = (status, value) => send(status, "application/json", JSON.stringify(value));
    // A page from elsewhere can neither send JSON here without a preflight, which nobody answers, nor come under a name that was made to point at loopback.
    const { host, "content-type": type } = request.headers;
    if (host !== origin.host) return json(421, { error: `this is ${origin.host}` });
    try {
      const { pathname } = new URL(request.url, origin);
      if (request.method === "POST" && pathname === "/act") {
        if (type !== "application/json") throw new Refusal(415, "want application/json");
        return json(200, await perform(await readBody(request), options));
      }
      if (request.method !== "GET") throw new Refusal(405, "want GET");
      if (pathname === "/config.json") return json(200, { url: options.url, key: options.clientKey, poll: options.poll, gather: options.gather });
      const picture = /^\/media\/([a-z0-9-]{1,64})\.svg$/.exec(pathname);
      if (picture) return send(200, "image/svg+xml", draw(picture[1]));
      if (!Object.hasOwn(files, pathname)) throw new Refusal(404, "there is nothing here");
      const [name, kind] = files[pathname];
      return send(200, kind, await readFile(new URL(name, root)));
    } catch (error) {
      return json(error.status ?? 502, { error: error.message });
    }
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise((resolve, reject) => server.once("error", reject).listen(options.port, "127.0.0.1", resolve));
  const origin = new URL(`http://127.0.0.1:${server.address().port}`);
  return {
    url: origin.origin,
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const url = new URL(process.env.ELIGIBILITY_URL ?? "http://127.0.0.1:8080").origin;
  try {
    await fetch(url);
  } catch {
    console.error(`nothing answers at ${url}: run "make demo" in another terminal, or say where with ELIGIBILITY_URL`);
    process.exit(1);
  }
  const { url: page } = await serve({
    url, port: Number(process.env.PORT ?? 3000), poll: 5000,
    clientKey: process.env.ELIGIBILITY_CLIENT_KEY ?? "demo-client-key", serverKey: process.env.ELIGIBILITY_SERVER_KEY ?? "demo-server-key",
  });
  console.log(`the example page is at ${page}`);
}
