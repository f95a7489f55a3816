import { backoff, longest } from "./pace.js";
import { Refused } from "./refused.js";
import type { Transport } from "./transport.js";

export type Kind = "impression" | "click" | "dismiss";

/** One report, as it is sent. Its id makes it count once, however often it is sent. */
interface Report {
  id: string;
  userId?: string;
  messageId: string;
  kind: Kind;
  count: number;
}

interface Seen {
  userId: string | undefined;
  messageId: string;
  count: number;
}

const maxTries = 6;
const maxCount = 1000; // of one report, by the server
const maxWaiting = 100; // messages, and reports on their way
const retry = { min: 1000, max: 30_000 };

/** The page has too many reports under way that the server does not take. */
export class TooManyReports extends Error {
  override readonly name = "TooManyReports";
}

/** Tells the server what users saw and did. Impressions are gathered, the rest is sent at once. */
export class Reports {
  readonly #transport: Transport;
  readonly #gather: number;
  #seen = new Map<string, Seen>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #waiting = new Map<Report, (() => void) | undefined>(); // not acknowledged yet, and how to cut its wait for the next try
  readonly #sends = new Set<Promise<void>>(); // of those
  #closed = false;

  constructor(transport: Transport, gather: number) {
    this.#transport = transport;
    this.#gather = Math.min(gather, longest);
  }

  /** Notes that a message was shown. */
  impression(messageId: string, userId: string | undefined): void {
    const key = JSON.stringify([messageId, userId]);
    const seen = this.#seen.get(key);
    if (seen) {
      seen.count = Math.min(seen.count + 1, maxCount);
      return;
    }
    if (this.#seen.size >= maxWaiting) void this.flush();
    this.#seen.set(key, { messageId, userId, count: 1 });
    this.#timer ??= setTimeout(() => void this.flush(), this.#gather);
  }

  /** Reports the gathered impressions, and waits until everything is acknowledged or given up. */
  async flush(): Promise<void> {
    for (const report of this.#take()) void this.#deliver(report);
    await Promise.allSettled(this.#sends);
  }

  /** Reports one thing; Refused when the server does not want it, the last fault when it could not be reached in some two minutes. */
  send(kind: Kind, messageId: string, userId: string | undefined): Promise<void> {
    return this.#deliver(report(kind, { messageId, userId, count: 1 }));
  }

  /**
   * Sends what is left while the page goes away. Reports that are not acknowledged go again, under the same id: they may wait for their next
   * try, or the browser may drop them with the page. It is a fetch that outlives the page, since a beacon cannot carry the key.
   */
  leave(): void {
    for (const report of [...this.#waiting.keys(), ...this.#take()]) {
      this.#transport.post("/v1/engagement", report, { keepalive: true }).catch(() => {}); // nobody is left to be told
    }
  }

  /** Ends all waiting: what waits is tried once more, and what fails from now on is not tried again. */
  close(): void {
    this.#closed = true;
    for (const cut of this.#waiting.values()) cut?.();
  }

  #take(): Report[] {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const seen = this.#seen;
    this.#seen = new Map();
    return Array.from(seen.values(), (one) => report("impression", one));
  }

  #deliver(report: Report): Promise<void> {
    const send = this.#waiting.size < maxWaiting ? this.#try(report) : Promise.reject(new TooManyReports("too many reports are under way"));
    this.#sends.add(send);
    const done = () => this.#sends.delete(send);
    send.then(done, done); // who does not wait for a report does not want to hear of its fate either
    return send;
  }

  async #try(report: Report): Promise<void> {
    this.#waiting.set(report, undefined);
    try {
      for (let tries = 1; ; tries++) {
        try {
          await this.#transport.post("/v1/engagement", report, { keepalive: true });
          return;
        } catch (fault) {
          if (this.#closed || tries >= maxTries || (fault instanceof Refused && !fault.temporary)) throw fault;
          await this.#pause(report, Math.max(backoff(tries, retry), fault instanceof Refused ? fault.retryAfter : 0));
        }
      }
    } finally {
      this.#waiting.delete(report);
    }
  }

  #pause(report: Report, wait: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#waiting.set(report, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

function report(kind: Kind, { messageId, userId, count }: Seen): Report {
  return { id: newId(), ...(userId === undefined ? {} : { userId }), messageId, kind, count };
}

/** 128 random bits. crypto.randomUUID is missing from pages that are not served by https. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
