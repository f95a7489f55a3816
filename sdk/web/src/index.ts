import { Refused } from "./types.js";
import type { Options, Placement, Source } from "./types.js";

export * from "./types.js";

/**
 * Keeps the messages of one user current: it asks, remembers the answer's tag, and asks again when the live stream says so, or, without a stream, when the answer may have ended.
 * An answer without messages clears them.
 */
export class Eligibility {
  #options: Required<Pick<Options, "minPoll" | "maxPoll" | "gather" | "fetch">> & Options;
  #placements: Placement[] = [];
  #listeners = new Set<(placements: Placement[]) => void>();
  #token = "";
  #tag = "";
  #until = Infinity; // by this clock, in milliseconds
  #running = false;
  #asking: Promise<void> | undefined;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #source: Source | undefined;
  #live = false;
  #faults = 0; // in a row
  #seen = new Map<string, number>(); // impressions that are not reported yet
  #flush: ReturnType<typeof setTimeout> | undefined;

  constructor(options: Options) {
    this.#options = { minPoll: 1000, maxPoll: 60_000, gather: 2000, fetch: (...args) => fetch(...args), ...options };
  }

  /** The messages as last heard of. */
  get placements(): Placement[] {
    return this.#placements;
  }

  /** Calls back with every change; returns how to stop that. */
  onChange(listener: (placements: Placement[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks once and goes on listening until stop. The first answer's fault is thrown, and tried again later. */
  async start(): Promise<void> {
    this.#running = true;
    try {
      await this.refresh();
    } finally {
      if (this.#running) void this.#listen();
    }
  }

  /** Ends everything that start began, and reports the impressions that are left. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#close();
    clearTimeout(this.#timer);
    await this.#report();
  }

  /** Asks now. Calls while one is under way make one more, after it. */
  refresh(): Promise<void> {
    if (this.#asking) {
      this.#again = true;
      return this.#asking;
    }
    this.#asking = this.#refresh().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Notes that a message was shown. Many are reported together. */
  impression(messageId: string): void {
    this.#seen.set(messageId, (this.#seen.get(messageId) ?? 0) + 1);
    this.#flush ??= setTimeout(() => void this.#report().catch(() => {}), this.#options.gather);
  }

  click(messageId: string): Promise<void> {
    return this.#engage("click", messageId, 1);
  }

  dismiss(messageId: string): Promise<void> {
    return this.#engage("dismiss", messageId, 1);
  }

  async #refresh(): Promise<void> {
    do {
      this.#again = false;
      const response = await this.#call("/v1/eligibility", this.#question(), this.#tag ? { "If-None-Match": this.#tag } : {});
      if (response.status === 304) {
        const until = response.headers.get("Eligibility-Valid-Until");
        this.#until = until ? Math.max(Date.parse(until), Date.now()) : Infinity;
        continue;
      }
      const answer = (await response.json()) as { placements: Placement[]; asOf: string; validUntil: string | null };
      this.#tag = response.headers.get("ETag") ?? "";
      // The two stamps are of the server's clock: their distance holds whatever the page's clock says.
      const asOf = Number(answer.asOf.split(".")[0]) / 1e6;
      this.#until = answer.validUntil ? Date.now() + Math.max(Date.parse(answer.validUntil) - asOf, 0) : Infinity;
      const changed = JSON.stringify(answer.placements) !== JSON.stringify(this.#placements);
      this.#placements = answer.placements;
      if (changed) for (const listener of this.#listeners) listener(this.#placements);
    } while (this.#again);
    this.#schedule();
  }

  #question(): Record<string, unknown> {
    const { userId, placements, context } = this.#options;
    return { userId, placements, context };
  }

  /** Without a stream, asks again when the answer ends by time, or after a while. */
  #schedule(): void {
    clearTimeout(this.#timer);
    if (!this.#running || this.#live) return;
    const { minPoll, maxPoll } = this.#options;
    const backoff = minPoll * 2 ** Math.min(this.#faults, 6);
    const wait = Math.min(Math.max(this.#until - Date.now(), backoff), Math.max(maxPoll, backoff));
    this.#timer = setTimeout(() => {
      this.refresh().then(
        () => {
          this.#faults = 0;
          if (!this.#source) void this.#listen();
        },
        () => {
          this.#faults++;
          this.#schedule();
        },
      );
    }, wait * (0.9 + Math.random() / 5));
  }

  /** Opens a live stream. Where there is none, polling goes on and tries again with each question. */
  async #listen(): Promise<void> {
    const open = this.#options.source ?? (typeof EventSource === "undefined" ? undefined : (url: string) => new EventSource(url));
    if (!open || this.#source || !this.#running) return this.#schedule();
    try {
      const response = await this.#call("/v1/stream-tokens", this.#question());
      const { url } = (await response.json()) as { url: string };
      if (!this.#running || this.#source) return;
      const source = open(this.#options.url + url);
      this.#source = source;
      source.addEventListener("open", () => {
        this.#live = true;
        clearTimeout(this.#timer);
      });
      source.addEventListener("changed", () => void this.refresh().catch(() => this.#lost()));
      source.addEventListener("error", () => this.#lost()); // its token opened it once: the browser's own retry would be refused
    } catch {
      this.#schedule();
    }
  }

  #lost(): void {
    this.#close();
    this.#schedule();
  }

  #close(): void {
    this.#source?.close();
    this.#source = undefined;
    this.#live = false;
  }

  async #report(): Promise<void> {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    const seen = this.#seen;
    this.#seen = new Map();
    await Promise.all(Array.from(seen, ([id, count]) => this.#engage("impression", id, count)));
  }

  /** Reports with an id of its own, so that a report that is sent twice counts once. */
  async #engage(kind: string, messageId: string, count: number): Promise<void> {
    const body = { userId: this.#options.userId, messageId, kind, count, id: crypto.randomUUID() };
    try {
      await this.#call("/v1/engagement", body);
    } catch (fault) {
      if (fault instanceof Refused && fault.status < 500 && fault.status !== 429) throw fault;
      await this.#call("/v1/engagement", body);
    }
  }

  async #call(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    for (let fresh = false; ; fresh = true) {
      const { token, key, url } = this.#options;
      if (token && !this.#token) this.#token = await token();
      const response = await this.#options.fetch(url + path, {
        method: "POST",
        headers: { "Api-Key": key, "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${this.#token}` } : {}), ...headers },
        body: JSON.stringify(body),
        cache: "no-store",
      });
      if (response.ok || response.status === 304) return response;
      const problem = (await response.json().catch(() => ({}))) as { code?: string; detail?: string };
      if (token && response.status === 401 && !fresh) {
        this.#token = "";
        continue;
      }
      throw new Refused(response.status, problem.code ?? "", problem.detail ?? response.statusText);
    }
  }
}
