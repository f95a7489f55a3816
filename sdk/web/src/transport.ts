import { refusal } from "./refused.js";
import type { Options } from "./types.js";

export interface Sending {
  headers?: Record<string, string>;
  /** Whether the call outlives the page. */
  keepalive?: boolean;
}

/** The codes that another token may cure. */
const curable = ["expired_token", "invalid_token", "missing_token"];

/** Makes calls with the key and the user's token, and renews the token once when it was refused. */
export class Transport {
  readonly #options: Options;
  readonly #fetch: typeof fetch;
  #token: Promise<string> | undefined; // shared by the calls that wait for it

  constructor(options: Options) {
    this.#options = options;
    this.#fetch = options.fetch ?? ((...args) => fetch(...args)); // the browser's refuses to be called as a member
  }

  /** The address of a path of the decision plane. */
  address(path: string): string {
    return this.#options.url.replace(/\/+$/, "") + path;
  }

  /** Posts; Refused unless the answer is a success or a 304. */
  async post(path: string, body: unknown, { headers, keepalive }: Sending = {}): Promise<Response> {
    const text = JSON.stringify(body);
    for (let renewed = false; ; renewed = true) {
      const token = this.#bearer();
      const response = await this.#fetch(this.address(path), {
        method: "POST",
        headers: {
          "Api-Key": this.#options.key, "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${await token}` } : {}), ...headers,
        },
        body: text,
        cache: "no-store",
        credentials: "omit",
        keepalive: keepalive ?? false,
        signal: AbortSignal.timeout(this.#options.timeout ?? 10_000),
      });
      if (response.ok || response.status === 304) return response;
      const refused = await refusal(response);
      if (renewed || !token || !curable.includes(refused.code)) throw refused;
      if (this.#token === token) this.#token = undefined; // unless another call has renewed it meanwhile
    }
  }

  #bearer(): Promise<string> | undefined {
    const { getToken } = this.#options;
    if (!getToken || this.#token) return this.#token;
    const token = getToken();
    this.#token = token;
    token.catch(() => {
      if (this.#token === token) this.#token = undefined;
    });
    return token;
  }
}
