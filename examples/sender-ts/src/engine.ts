import { setTimeout as pause } from "node:timers/promises";

/** What the engine says about one user: eligible or not and why, or what was wrong with the question. */
export interface Line {
  userId: string;
  eligible: boolean;
  reason: string;
  /** When passing time alone may make the user eligible; absent: never. */
  retryAt?: string;
  error?: { code: string };
}

/** An answer other than a success. */
export class Refusal extends Error {
  constructor(readonly status: number, readonly code: string, /** In milliseconds. */ readonly retryAfter: number) {
    super(`the engine refused: ${status} ${code}`);
  }
}

const maxTries = 8;
const firstWait = 250;
const longest = 60_000;
/** For how long a send is reserved: longer than a chunk takes to be sent. */
const hold = "5m";

/** Asks one eligibility engine. */
export class Engine {
  /** @param url of its decision plane @param key a server key */
  constructor(readonly url: string, readonly key: string) {}

  /**
   * Asks who of at most 1,000 users qualifies for the promotion on the channel now, and reserves the sends to those who do under the send id. A reservation
   * under the same id is the same one, so what is temporary is tried again, for a minute or so. Throws the last fault when that does not help.
   */
  reserve(promotion: string, channel: string, sendId: string, userIds: string[], signal: AbortSignal): Promise<Line[]> {
    const users = userIds.map((userId) => ({ userId, reserve: { sendId, for: hold } }));
    return this.#post("/v1/precheck", { promotion, channel, users }, signal, (text) => {
      const lines: (Line & { summary?: object })[] = text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
      // Without its last line the answer was cut, and what it lacks is not known.
      if (!lines.pop()?.summary) throw new Error("the answer was cut");
      return lines;
    });
  }

  /** Records the sends to the users, which are out: caps count them, and nobody is granted them again. */
  async confirm(sendId: string, userIds: string[]): Promise<void> {
    await this.#settle("confirm", userIds.map((userId) => ({ userId, sendId, sent: true })));
  }

  /** Gives the reserved sends to the users back. */
  async release(sendId: string, userIds: string[]): Promise<void> {
    await this.#settle("release", userIds.map((userId) => ({ userId, sendId })));
  }

  /** Who is told to stop still says what is out, so that no signal ends this. */
  async #settle(verb: string, sends: object[]): Promise<void> {
    if (sends.length > 0) await this.#post(`/v1/precheck/reservations:${verb}`, { sends }, AbortSignal.timeout(longest), () => undefined);
  }

  /** Makes a call that may be repeated, and repeats it while what is wrong is temporary. */
  async #post<T>(path: string, body: object, signal: AbortSignal, read: (text: string) => T): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return read(await this.#try(path, body, signal));
      } catch (fault) {
        const refused = fault instanceof Refusal ? fault : undefined;
        if (tries === maxTries || signal.aborted || (refused && refused.status !== 429 && refused.status < 500)) throw fault;
        const wait = Math.min(firstWait * 2 ** tries, longest);
        // Between half of it and all of it, so that workers that were refused together do not come back together.
        await pause(Math.max(wait / 2 + (wait / 2) * Math.random(), Math.min(refused?.retryAfter ?? 0, longest)), undefined, { signal });
      }
    }
  }

  async #try(path: string, body: object, signal: AbortSignal): Promise<string> {
    const response = await fetch(this.url + path, {
      method: "POST", headers: { "Api-Key": this.key, "Content-Type": "application/json" }, body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
    });
    if (response.ok) return response.text();
    const problem = (await response.json().catch(() => ({}))) as { code?: string }; // a proxy's answer has no code
    throw new Refusal(response.status, problem.code ?? "", (Number(response.headers.get("Retry-After")) || 0) * 1000);
  }
}
