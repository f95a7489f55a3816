/** What a message shows. Only the title is always there. */
export interface Content {
  title: string;
  body?: string;
  mediaUrl?: string;
  mediaUrlCaption?: string;
  defaultAction?: Action;
  buttons?: { id: string; title: string; action?: Action }[];
  text?: { id: string; text: string; label?: string }[];
  payload?: Record<string, unknown>;
}

/** What a tap does: type "openUrl" with an address in data, or type "action://name". */
export interface Action {
  type: string;
  data: string;
}

export interface Message {
  /** Opaque. It stays the same while the user stays eligible, and is the same for all users. */
  messageId: string;
  promotion: string;
  revision: number;
  /** 1 is shown first. */
  priority: number;
  content: Content;
}

/** The messages of one placement, first to be shown first. */
export interface Placement {
  placement: number;
  messages: Message[];
}

/** Whose messages are asked for, and where they would be shown. */
export interface Question {
  /** Left out when the user token says it. */
  userId?: string;
  /** All that the project declares when absent. */
  placements?: number[];
  /** The request attributes that the project declares. */
  context?: Record<string, string | number | boolean>;
}

/** One answer, computed from one ruleset and one snapshot of the user. */
export interface Answer {
  userId: string;
  placements: Placement[];
  rulesVersion: number;
  /** A stamp of the database: what was written at or before it is in the answer. */
  asOf: string;
  /** The first instant at which passing time alone could change the answer, by the server's clock; null when none can. */
  validUntil: string | null;
  /** Whether the server could not prove that the answer is fresh. */
  degraded: boolean;
}

export interface Asking {
  /** How old an answer may be that is given without asking, in milliseconds: 0 when absent. One that has passed its validUntil is never given. */
  maxAge?: number;
  /** The asOf that a write gave back: the answer has seen that write. */
  minAsOf?: string;
}

/** The part of EventSource that is used here, so that others can stand in for it. */
export interface Source {
  addEventListener(type: string, listener: () => void): void;
  close(): void;
}

export interface Options {
  /** The decision plane, such as https://eligibility.example.com. */
  url: string;
  /** A client key. */
  key: string;
  /** Brings a user token; asked again when the server refused the last one. Left out for a key that demands none. */
  getToken?: () => Promise<string>;
  /** Who is meant where neither a question nor a report names anybody. */
  userId?: string;
  /** The shortest and longest time between two questions of a watch without a live stream, in milliseconds: 1,000 and 60,000 when absent. */
  minPoll?: number;
  maxPoll?: number;
  /** How long impressions are gathered before they are reported, in milliseconds: 2,000 when absent. */
  gather?: number;
  /** How long a call may take, in milliseconds: 10,000 when absent. */
  timeout?: number;
  fetch?: typeof fetch;
  /** Opens a stream: the browser's EventSource when absent, no streams when null. */
  source?: ((url: string) => Source) | null;
}
