import type { Transport } from "./transport.js";
import type { Answer, Question } from "./types.js";

/** How many questions are remembered. A page has a few. */
const maxKept = 32;

/** An answer and how to ask for it again cheaply. */
export interface Kept {
  answer: Answer;
  tag: string;
  /** When it was given and until when it holds if nothing is written, by this clock, in milliseconds. */
  at: number;
  until: number;
  turn: number;
}

/** Asks, with the tag of what is known already, and remembers. */
export class Answers {
  readonly #transport: Transport;
  readonly #kept = new Map<string, Kept>(); // least recently asked first
  #turns = 0;
  #ahead = 0; // how far the server's clock is ahead of this one, in milliseconds, as of its last answer

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The last answer, if it has not passed its end and is not older than maxAge. */
  recall(key: string, maxAge: number): Answer | undefined {
    const kept = this.#kept.get(key);
    const now = Date.now();
    const age = kept ? now - kept.at : Infinity; // negative when the clock was set back
    return kept && now < kept.until && age >= 0 && age < maxAge ? kept.answer : undefined;
  }

  /**
   * Asks the server. Two calls at one time ask twice: an answer that was on its way before a write is no answer for who asks after it.
   */
  async ask(key: string, question: Question, minAsOf?: string): Promise<Kept> {
    const turn = ++this.#turns;
    const known = this.#kept.get(key);
    const body = minAsOf ? { ...question, minAsOf } : question;
    const response = await this.#transport.post("/v1/eligibility", body, known?.tag ? { headers: { "If-None-Match": known.tag } } : {});
    const kept = known && response.status === 304 ? this.#again(known, response, turn) : await this.#fresh(response, turn);
    const last = this.#kept.get(key);
    if (!last || last.turn < turn) {
      this.#kept.delete(key);
      this.#kept.set(key, kept);
      for (const oldest of this.#kept.keys()) {
        if (this.#kept.size <= maxKept) break;
        this.#kept.delete(oldest);
      }
    }
    return kept;
  }

  async #fresh(response: Response, turn: number): Promise<Kept> {
    const answer = (await response.json()) as Answer;
    const at = Date.now();
    // The stamp is the server's time in nanoseconds, and a part that makes it unique: with it validUntil is read right by a page whose clock is wrong.
    const stamp = Number(answer.asOf.split(".")[0]) / 1e6;
    if (stamp > 0) this.#ahead = stamp - at;
    return { answer, tag: response.headers.get("ETag") ?? "", at, until: this.#here(answer.validUntil), turn };
  }

  #again(known: Kept, response: Response, turn: number): Kept {
    const validUntil = response.headers.get("Eligibility-Valid-Until");
    return { ...known, answer: { ...known.answer, validUntil }, at: Date.now(), until: this.#here(validUntil), turn };
  }

  /** An instant of the server by this clock. */
  #here(instant: string | null): number {
    const at = instant ? Date.parse(instant) : NaN;
    return Number.isNaN(at) ? Infinity : at - this.#ahead;
  }
}
