// A server of a few lines, for tests of time and order that a real one could not be brought to.

/** Answers each call with what reply(path, body, headers) returns: {status, body, headers}, or a promise of it. */
export function server(reply) {
  const calls = [];
  const fetch = async (url, init) => {
    const call = { path: new URL(url).pathname, body: JSON.parse(init.body), headers: init.headers, keepalive: init.keepalive };
    calls.push(call);
    const { status = 200, body, headers } = (await reply(call, calls.length)) ?? {};
    return new Response(body === undefined ? null : JSON.stringify(body), { status, headers });
  };
  return { calls, fetch };
}

export const problem = (status, code, headers) => ({ status, headers, body: { code, detail: `is ${code}`, requestId: "r1" } });

/** An answer that shows messages of these ids at placement 101. */
export function answer(ids, { now = Date.now(), left, tag } = {}) {
  return {
    headers: { ETag: tag ?? `W/"${ids.join("-")}"` },
    body: {
      userId: "ada", placements: [{ placement: 101, messages: ids.map((id) => ({ messageId: id, content: { title: id } })) }],
      rulesVersion: 1, asOf: `${BigInt(now) * 1000000n}.0000000000`, validUntil: left === undefined ? null : new Date(now + left).toISOString(), degraded: false,
    },
  };
}

/** Lets everything that waits for no timer come to its end. */
export async function settle() {
  for (let i = 0; i < 50; i++) await Promise.resolve();
  await new Promise(setImmediate);
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** Stands for EventSource. */
export class Wire {
  static all = [];
  listeners = {};
  closed = false;
  constructor(url) {
    this.url = url;
    Wire.all.push(this);
  }
  addEventListener(type, listener) {
    (this.listeners[type] ??= []).push(listener);
  }
  close() {
    this.closed = true;
  }
  say(type) {
    for (const listener of this.listeners[type] ?? []) listener();
  }
}
