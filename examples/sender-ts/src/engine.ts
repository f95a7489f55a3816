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

/** Asks one eligibility engine. */
export class Engine {
  /** @param url of its decision plane @param key a server key */
  constructor(readonly url: string, readonly key: string) {}

  /**
   * Asks who of at most 1,000 users qualifies for the promotion on the channel now. What is temporary it tries again, for a minute or so: asking changes
   * nothing, so it may be repeated. Throws the last fault when that does not help.
   */
  async precheck(promotion: string, channel: string, userIds: string[], signal: AbortSignal): Promise<Line[]> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#ask(promotion, channel, userIds, signal);
      } catch (fault) {
        const refused = fault instanceof Refusal ? fault : undefined;
        if (tries === maxTries || signal.aborted || (refused && refused.status !== 429 && refused.status < 500)) throw fault;
        const wait = Math.min(firstWait * 2 ** tries, longest);
        // Between half of it and all of it, so that workers that were refused together do not come back together.
        await pause(Math.max(wait / 2 + (wait / 2) * Math.random(), Math.min(refused?.retryAfter ?? 0, longest)), undefined, { signal });
      }
    }
  }

  async #ask(promotion: string, channel: string, userIds: string[], signal: AbortSignal): Promise<Line[]> {
    const response = await fetch(`${this.url}/v1/precheck`, {
      method: "POST", headers: { "Api-Key": this.key, "Content-Type": "application/json" }, body: JSON.stringify({ promotion, channel, userIds }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
    });
    if (!response.ok) {
      const problem = (await response.json().catch(() => ({}))) as { code?: string }; // a proxy's answer has no code
      throw new Refusal(response.status, problem.code ?? "", (Number(response.headers.get("Retry-After")) || 0) * 1000);
    }
    const lines: (Line & { summary?: object })[] = (await response.text()).split("\n").filter(Boolean).map((text) => JSON.parse(text));
    // Without its last line the answer was cut, and what it lacks is not known.
    if (!lines.pop()?.summary) throw new Error("the answer was cut");
    return lines;
  }
}
