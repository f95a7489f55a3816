import { Answers } from "./answers.js";
import { Reports } from "./reports.js";
import { Transport } from "./transport.js";
import type { Answer, Asking, Options, Question } from "./types.js";
import { Watch } from "./watch.js";
import type { FaultListener, Listener, Watching } from "./watch.js";

/** The messages of a page's user: asks, keeps them current, and reports what was seen and done. */
export class Client {
  readonly #userId: string | undefined;
  readonly #watching: Watching;
  readonly #transport: Transport;
  readonly #answers: Answers;
  readonly #reports: Reports;
  readonly #watches = new Map<string, Watch>();
  readonly #page = new AbortController(); // of the listeners on the page

  constructor(options: Options) {
    this.#userId = options.userId;
    this.#watching = {
      minPoll: options.minPoll ?? 1000,
      maxPoll: options.maxPoll ?? 60_000,
      source: options.source !== undefined ? options.source : typeof EventSource === "undefined" ? null : (url) => new EventSource(url),
    };
    this.#transport = new Transport(options);
    this.#answers = new Answers(this.#transport);
    this.#reports = new Reports(this.#transport, options.gather ?? 2000);
    this.#attend();
  }

  /**
   * Asks once; Refused, or what fetch throws. An answer that has not changed costs a 304. With a maxAge one that is known already may be given
   * without asking, though never after its validUntil: how much later than a write it may be is the caller's to say.
   */
  async decide(question: Question = {}, { maxAge = 0, minAsOf }: Asking = {}): Promise<Answer> {
    const [key, asked] = this.#normal(question);
    if (!minAsOf) {
      const known = this.#answers.recall(key, maxAge);
      if (known) return known;
    }
    return (await this.#answers.ask(key, asked, minAsOf)).answer;
  }

  /**
   * Calls back with the messages now and whenever they change, with an empty list too. Returns how to stop that. Equal questions share one stream.
   * Faults do not end it: it tries again, and tells onFault.
   */
  watch(question: Question, callback: Listener, onFault?: FaultListener): () => void {
    const [key, asked] = this.#normal(question);
    const listener: Listener = (placements) => callback(placements); // one function may watch twice
    let watch = this.#watches.get(key);
    if (watch) {
      watch.add(listener, onFault);
    } else {
      watch = new Watch(this.#transport, this.#answers, this.#watching, key, asked);
      this.#watches.set(key, watch);
      watch.add(listener, onFault);
      watch.start();
    }
    const watched = watch;
    return () => {
      if (watched.remove(listener) > 0) return;
      watched.stop();
      if (this.#watches.get(key) === watched) this.#watches.delete(key);
    };
  }

  /** Notes that a message was shown. Many are reported together. */
  impression(messageId: string, userId = this.#userId): void {
    this.#reports.impression(messageId, userId);
  }

  /** Reports a click; done when it is stored. */
  click(messageId: string, userId = this.#userId): Promise<void> {
    return this.#reports.send("click", messageId, userId);
  }

  /** Reports that the user put a message away; done when it is stored. */
  dismiss(messageId: string, userId = this.#userId): Promise<void> {
    return this.#reports.send("dismiss", messageId, userId);
  }

  /** Reports the gathered impressions now. */
  flush(): Promise<void> {
    return this.#reports.flush();
  }

  /** Stops every watch and reports what is left, once. For when another user signs in, or the client is no longer needed. */
  async close(): Promise<void> {
    this.#page.abort();
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches.clear();
    this.#reports.close();
    await this.#reports.flush();
  }

  /** The page tells when it goes away and when it comes back, to a network for instance. */
  #attend(): void {
    if (typeof addEventListener === "undefined") return;
    const { signal } = this.#page;
    const refresh = () => {
      for (const watch of this.#watches.values()) void watch.refresh();
    };
    addEventListener("visibilitychange", () => document.visibilityState === "hidden" && void this.#reports.flush(), { signal });
    addEventListener("pagehide", () => this.#reports.leave(), { signal });
    addEventListener("pageshow", (event) => event.persisted && refresh(), { signal });
    addEventListener("online", refresh, { signal });
  }

  /** A question in one form, so that equal ones are the same. */
  #normal({ userId = this.#userId, placements, context }: Question): [key: string, asked: Question] {
    const asked: Question = {};
    if (userId !== undefined) asked.userId = userId;
    if (placements) asked.placements = [...placements].sort((a, b) => a - b);
    if (context) asked.context = Object.fromEntries(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1)));
    return [JSON.stringify(asked), asked];
  }
}
