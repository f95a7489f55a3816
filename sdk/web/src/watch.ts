import type { Answers, Kept } from "./answers.js";
import { backoff, poll } from "./pace.js";
import { Refused } from "./refused.js";
import type { Transport } from "./transport.js";
import type { Placement, Question, Source } from "./types.js";

/** Called with the messages whenever they change, with an empty list too: then what is shown must go. */
export type Listener = (placements: Placement[]) => void;

/** Called with what went wrong. The watch goes on. */
export type FaultListener = (fault: unknown) => void;

export interface Watching {
  minPoll: number;
  maxPoll: number;
  source: ((url: string) => Source) | null;
}

/** A stream that broke sooner than this counts as a fault, later ones come to their end as all do. In milliseconds. */
const steady = 5000;

/** While a stream is live the answer is asked for as rarely as this, in case the connection is dead and nobody has noticed. In milliseconds. */
const doubt = 300_000;

/**
 * Keeps the answer to one question current, for everybody on the page who asked it. A live stream says when to ask again; where there is
 * none, the answer is asked for when it ends by time, or after a while.
 */
export class Watch {
  readonly #transport: Transport;
  readonly #answers: Answers;
  readonly #options: Watching;
  readonly #key: string;
  readonly #question: Question;
  readonly #listeners = new Map<Listener, FaultListener | undefined>();
  #shown: Placement[] | undefined; // what the listeners were told last
  #stopped = false;
  #asking = false;
  #again = false;
  #until = Infinity;
  #faults = 0; // of asking, in a row
  #asks: ReturnType<typeof setTimeout> | undefined;
  #source: Source | undefined;
  #live = false; // whether the stream has said something
  #breaks = 0; // of the stream, in a row
  #opens: ReturnType<typeof setTimeout> | undefined;

  constructor(transport: Transport, answers: Answers, options: Watching, key: string, question: Question) {
    this.#transport = transport;
    this.#answers = answers;
    this.#options = options;
    this.#key = key;
    this.#question = question;
  }

  /** Adds a listener, who hears at once what the others were told; returns how many there are. */
  add(listener: Listener, fault?: FaultListener): number {
    this.#listeners.set(listener, fault);
    if (this.#shown) hand(listener, this.#shown);
    return this.#listeners.size;
  }

  /** Takes a listener away; returns how many are left. */
  remove(listener: Listener): number {
    this.#listeners.delete(listener);
    return this.#listeners.size;
  }

  /** Begins to listen. */
  start(): void {
    void this.refresh();
    void this.#open();
  }

  /** Ends everything. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#asks);
    clearTimeout(this.#opens);
    this.#close();
  }

  /** Asks now; a call while one is under way makes one more, after it, since the answer on its way may be of before. */
  async refresh(): Promise<void> {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    clearTimeout(this.#asks);
    do {
      this.#again = false;
      await this.#ask();
    } while (this.#again && this.#faults === 0 && !this.#stopped);
    this.#asking = false;
    this.#schedule();
  }

  async #ask(): Promise<void> {
    let kept: Kept;
    try {
      kept = await this.#answers.ask(this.#key, this.#question);
    } catch (fault) {
      this.#faults++;
      this.#until = Date.now() + (fault instanceof Refused ? fault.retryAfter : 0);
      this.#fail(fault);
      return;
    }
    this.#faults = 0;
    this.#until = kept.until;
    this.#tell(kept.answer.placements);
  }

  #tell(placements: Placement[]): void {
    if (this.#stopped || (this.#shown && JSON.stringify(this.#shown) === JSON.stringify(placements))) return;
    this.#shown = placements;
    for (const listener of this.#listeners.keys()) hand(listener, placements);
  }

  /** A key or token that is refused shows nothing any more: that is what suspending a key is for. Through other faults the last answer stays. */
  #fail(fault: unknown): void {
    if (this.#stopped) return;
    for (const heard of this.#listeners.values()) if (heard) hand(heard, fault);
    if (fault instanceof Refused && fault.barred) this.#tell([]);
  }

  #schedule(): void {
    clearTimeout(this.#asks);
    if (this.#stopped) return;
    const { minPoll: min, maxPoll } = this.#options;
    const max = this.#live ? Math.max(doubt, maxPoll) : maxPoll;
    // The stream says on its own when time turns the answer: asking a little later finds out if it did not.
    const left = this.#until - Date.now() + (this.#live ? steady : 0);
    const wait = this.#faults > 0 ? Math.max(backoff(this.#faults, { min, max: maxPoll }), left) : poll(left, { min, max });
    this.#asks = setTimeout(() => void this.refresh(), wait);
  }

  /** Opens a stream with a token that is good for one connection. */
  async #open(): Promise<void> {
    const { source: make } = this.#options;
    if (!make || this.#stopped) return;
    let url: string;
    try {
      const response = await this.#transport.post("/v1/stream-tokens", this.#question);
      ({ url } = (await response.json()) as { url: string });
    } catch (fault) {
      this.#reopen(fault instanceof Refused ? fault.retryAfter : 0);
      return;
    }
    if (this.#stopped) return;
    const source = make(this.#transport.address(url));
    this.#source = source;
    const opened = Date.now();
    // Each connection begins with this event, unless it brought the id of the last one, which an EventSource does only by itself and with its
    // old, used token. The tag of the answer does the same work: what has not changed is answered with a 304.
    source.addEventListener("changed", () => {
      if (this.#source !== source) return;
      this.#live = true;
      void this.refresh();
    });
    source.addEventListener("error", () => {
      if (this.#source !== source) return;
      this.#close();
      if (Date.now() - opened >= steady) this.#breaks = 0;
      this.#reopen(0);
      if (!this.#asking) this.#schedule();
    });
  }

  #reopen(retryAfter: number): void {
    if (this.#stopped) return;
    const { minPoll: min, maxPoll: max } = this.#options;
    this.#opens = setTimeout(() => void this.#open(), Math.max(backoff(++this.#breaks, { min, max }), retryAfter));
  }

  #close(): void {
    this.#source?.close();
    this.#source = undefined;
    this.#live = false;
  }
}

/** Calls somebody else's function: what it throws is its own affair, and is thrown where nobody here stumbles over it. */
function hand<T>(listener: (what: T) => void, what: T): void {
  try {
    listener(what);
  } catch (thrown) {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}
