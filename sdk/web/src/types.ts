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
  messageId: string;
  promotion: string;
  revision: number;
  priority: number;
  content: Content;
}

/** The messages of one placement, first to be shown first. */
export interface Placement {
  placement: number;
  messages: Message[];
}

/** A part of EventSource, so that tests can bring their own. */
export interface Source {
  addEventListener(type: string, listener: () => void): void;
  close(): void;
}

export interface Options {
  /** Of the decision plane, such as https://eligibility.example.com. */
  url: string;
  /** A client key. */
  key: string;
  /** Whom to ask about, unless the user token says it. */
  userId?: string;
  /** Brings a user token; asked again when one was refused. Left out for a key that demands none. */
  token?: () => Promise<string>;
  /** Which placements to ask for; all when absent. */
  placements?: number[];
  /** Request attributes that the project declares. */
  context?: Record<string, string | number | boolean>;
  /** The shortest and longest time between two questions without a live stream, in milliseconds: 1,000 and 60,000 when absent. */
  minPoll?: number;
  maxPoll?: number;
  /** How long impressions are gathered before they are reported, in milliseconds: 2,000 when absent. */
  gather?: number;
  fetch?: typeof fetch;
  /** Opens a stream; the browser's EventSource when absent. */
  source?: (url: string) => Source;
}

/** The server refused; code is one of its problem codes. */
export class Refused extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}
