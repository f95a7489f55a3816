/** The codes that the calls of this client are refused with. There may be more in later versions of the server. */
export type Code =
  | "bad_request" | "body_too_large" | "empty_body" | "expired_token" | "forbidden" | "forbidden_origin" | "future_event"
  | "internal" | "invalid_as_of" | "as_of_in_future" | "as_of_not_reached" | "invalid_credential" | "invalid_token"
  | "invalid_user_id" | "invalid_value" | "key_suspended" | "missing_credential" | "missing_field" | "missing_token" | "not_durable"
  | "out_of_range" | "overloaded" | "rate_limited" | "request_timeout" | "ruleset_unavailable" | "shutting_down"
  | "store_unavailable" | "too_many" | "undeclared_context" | "user_mismatch" | "wrong_type";

/** The server refused a call and said why. What else fails (no network, a timeout) is thrown as fetch throws it. */
export class Refused extends Error {
  override readonly name = "Refused";

  constructor(
    /** The HTTP status. */
    readonly status: number,
    /** "" when the refusal was not the server's own, but a proxy's for instance. */
    readonly code: Code | (string & {}),
    detail: string,
    /** After how many milliseconds to try again; 0 when the server did not say. */
    readonly retryAfter: number,
    /** By which the server's operator finds the request. */
    readonly requestId: string,
  ) {
    super(detail || code || `status ${status}`);
  }

  /** Whether the same call may succeed later. */
  get temporary(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408;
  }

  /** Whether the key or the token was refused: nothing may be shown any more. */
  get barred(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** A Retry-After beyond an hour is taken for an hour: it may be a proxy's slip, and a timer set for weeks rings at once. In milliseconds. */
const patience = 3_600_000;

/** Reads the server's words out of a refusal. */
export async function refusal(response: Response): Promise<Refused> {
  const problem = (await response.json().catch(() => null)) as { code?: string; detail?: string; requestId?: string } | null;
  const seconds = Number(response.headers.get("Retry-After"));
  return new Refused(
    response.status, problem?.code ?? "", problem?.detail ?? response.statusText, seconds > 0 ? Math.min(seconds * 1000, patience) : 0,
    problem?.requestId ?? response.headers.get("X-Request-Id") ?? "",
  );
}
