// A failed call (RFC 9457). Its type selects what a person reads; its title and detail are for programmers.

export interface FieldError {
  field: string;
  message: string;
}

interface Parts {
  slug: string;
  status?: number;
  title?: string;
  detail?: string;
  errors?: FieldError[];
  retryAfter?: number;
  rsvId?: number;
}

/** `slug` is the last part of the problem's type; `status` is 0 without a response. */
export class Problem extends Error {
  readonly slug: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors: FieldError[];
  /** The seconds after which a repetition may succeed; 0 if none are named. */
  readonly retryAfter: number;
  readonly rsvId: number | undefined;

  constructor({ slug, status = 0, title = '', detail = '', errors = [], retryAfter = 0, rsvId }: Parts) {
    super(detail || title || slug);
    this.slug = slug;
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.retryAfter = retryAfter;
    this.rsvId = rsvId;
  }

  /** Whether the command may have been executed although it failed. A context that lost its store in the middle of a command answers 503. */
  get outcomeUnknown(): boolean {
    const isInterrupted = this.status === 503 && ['unavailable', 'not-kept'].includes(this.slug) && this.rsvId === undefined;
    return isInterrupted || [0, 500, 502, 504].includes(this.status);
  }

  /** Whether a reservation is decided: it is on record, or it was refused for good. An overload, a limit and a missing token decide nothing. */
  get decidesReservation(): boolean {
    return this.rsvId !== undefined || ([400, 409, 422].includes(this.status) && this.retryAfter === 0);
  }

  /** Whether a repetition of the same request may succeed. */
  get isTemporary(): boolean {
    return this.outcomeUnknown || this.status === 429 || this.status === 503 || this.retryAfter > 0;
  }
}

/** Any error as a problem: what is no problem is a fault of the screen, and belongs into the console. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  console.error(error);
  return new Problem({ slug: 'screen-failed', detail: String(error) });
}

export function problemFrom(response: Response, data: unknown): Problem {
  const { type = '', title, detail, field, errors, rsvId } = (data ?? {}) as Record<string, unknown>;
  const named = typeof field === 'string' ? [{ field, message: String(detail ?? title) }] : [];
  return new Problem({
    slug: String(type).split('/').pop() ?? '',
    status: response.status,
    title: String(title ?? `HTTP ${response.status}`),
    detail: String(detail ?? ''),
    errors: Array.isArray(errors) && errors.length ? (errors as FieldError[]) : named,
    retryAfter: secondsOf(response.headers.get('Retry-After')),
    rsvId: typeof rsvId === 'number' ? rsvId : undefined,
  });
}

/** The seconds of Retry-After, which is a number of seconds or a date. */
function secondsOf(retryAfter: string | null): number {
  if (!retryAfter) return 0;
  const wait = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(wait) ? Math.max(0, Math.ceil(wait)) : 0;
}
