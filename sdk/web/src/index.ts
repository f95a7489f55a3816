import { Client } from "./client.js";
import type { Options } from "./types.js";

export type { Client } from "./client.js";
export { Refused } from "./refused.js";
export type { Code } from "./refused.js";
export { TooManyReports } from "./reports.js";
export type * from "./types.js";
export type { FaultListener, Listener } from "./watch.js";

/** Makes a client. It does nothing until it is asked. */
export function createClient(options: Options): Client {
  return new Client(options);
}
