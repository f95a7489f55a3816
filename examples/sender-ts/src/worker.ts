import { setTimeout as pause } from "node:timers/promises";
import type { Engine, Line } from "./engine.js";
import { Queue } from "./queue.js";

/** How many users are looked at together: few enough that the last of them is sent within a moment of the look. */
const chunk = 100;
/** How many may wait; beyond it the list is read on when somebody's time has come. */
const maxWaiting = 100_000;
/** The shortest time until a user is looked at again, in case this clock is ahead of the engine's. In milliseconds. */
const breath = 1000;

/** What became of one user. Waiting is not the last that is heard of one. */
export interface Outcome {
  userId: string;
  outcome: "sent" | "waiting" | "leftOut" | "failed";
  /** Why not, in the engine's words. */
  reason?: string;
  retryAt?: string;
}

export interface Campaign {
  promotion: string;
  channel: string;
  /** Names the message; the same when the worker is started again. */
  sendId: string;
  /** Who qualifies later than this is left out. In milliseconds. */
  until: number;
  deliver(userId: string, key: string): Promise<void>;
  report(outcome: Outcome): void;
}

/** Sends one promotion on one channel. */
export class Worker {
  readonly tally = { sent: 0, waiting: 0, leftOut: 0, failed: 0 };
  readonly #waiting = new Queue();

  constructor(readonly engine: Engine, readonly campaign: Campaign) {}

  /** Sends to the users of the list, one id a line, until the list is read and nobody waits any more. Throws why it stopped early. */
  async run(list: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
    const lines = list[Symbol.asyncIterator]();
    for (let more = true; more || this.#waiting.length > 0; ) {
      const users = this.#due();
      while (more && users.length < chunk && this.#waiting.length < maxWaiting) {
        const line = await lines.next();
        more = !line.done;
        const userId = line.done ? "" : line.value.trim();
        // One who stands twice in the list is sent once: within a chunk by this, otherwise by the send id.
        if (userId && !users.includes(userId)) users.push(userId);
      }
      if (users.length === 0) {
        if (this.#waiting.length === 0) break;
        const left = Math.min(this.#waiting.next - Date.now(), 3_600_000); // a timer that is set for weeks rings at once
        await pause(Math.max(left, 0), undefined, { signal });
        continue;
      }
      await this.#send(users, signal);
    }
  }

  /**
   * Looks at the users, sends to those who qualify, and tells the engine. It sends first and confirms then: a worker that dies in between sends again when
   * it is started again, and the provider knows the key.
   */
  async #send(users: string[], signal: AbortSignal): Promise<void> {
    const { promotion, channel, sendId } = this.campaign;
    const sent: string[] = [];
    const failed: string[] = [];
    for (const line of await this.engine.reserve(promotion, channel, sendId, users, signal)) {
      const { outcome } = await this.#settle(line);
      if (line.eligible) (outcome === "sent" ? sent : failed).push(line.userId);
    }
    await this.engine.confirm(sendId, sent);
    await this.engine.release(sendId, failed);
  }

  /** Takes out those whose time has come, a chunk at most. */
  #due(): string[] {
    const users: string[] = [];
    const now = Date.now();
    while (users.length < chunk) {
      const userId = this.#waiting.due(now);
      if (userId === undefined) break;
      users.push(userId);
    }
    return users;
  }

  /** Sends to the user, or has him wait, or leaves him out. */
  async #settle({ userId, eligible, reason, retryAt, error }: Line): Promise<Outcome> {
    const { deliver, report, sendId, until } = this.campaign;
    const outcome: Outcome = { userId, outcome: "leftOut" };
    if (error) {
      outcome.outcome = "failed";
      outcome.reason = error.code;
    } else if (eligible) {
      try {
        await deliver(userId, `${sendId}/${userId}`);
        outcome.outcome = "sent";
      } catch (fault) {
        outcome.outcome = "failed";
        outcome.reason = String(fault);
      }
    } else {
      outcome.reason = reason;
      if (retryAt) {
        outcome.retryAt = retryAt;
        if (Date.parse(retryAt) <= until) {
          outcome.outcome = "waiting";
          this.#waiting.push(userId, Math.max(Date.parse(retryAt), Date.now() + breath));
        }
      }
    }
    this.tally[outcome.outcome]++;
    report(outcome);
    return outcome;
  }
}
