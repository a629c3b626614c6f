// The HTTP client of the screen: one call, which returns data or throws a Problem (RFC 9457).

/** The timeout of every call, in milliseconds. It is longer than every deadline of the platform. */
const TIMEOUT = 15_000;

/** A failed call. `slug` is the last part of the problem's type; `status` is 0 without a response. */
export class Problem extends Error {
  constructor({ slug, status = 0, title = '', detail = '', errors = [], retryAfter = 0 }) {
    super(detail || title || slug);
    Object.assign(this, { slug, status, title, detail, errors, retryAfter });
  }

  /** Whether the command may have been executed although it failed. */
  get outcomeUnknown() {
    return [0, 500, 502, 504].includes(this.status);
  }
}

/**
 * Sends one request and returns {status, body, etag}.
 * Throws a Problem for every response but a success, and the error of the signal when the caller aborted the call.
 */
export async function call(method, path, { body, headers = {}, signal } = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT);
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers: { Accept: 'application/json', ...(body && { 'Content-Type': 'application/json' }), ...headers },
      body: body && JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      cache: 'no-store',
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ slug: timeout.aborted ? 'timeout' : 'unreachable' });
  }
  const data = parse(text);
  if (!response.ok) throw problem(response, data);
  return { status: response.status, body: data, etag: response.headers.get('ETag') };
}

/** A new value for `Idempotency-Key`. Not randomUUID, which browsers offer on https and localhost only. */
export function newIdempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `"${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}"`;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function problem(response, data) {
  const { type = '', title, detail, field, errors } = data ?? {};
  return new Problem({
    slug: String(type).split('/').pop(),
    status: response.status,
    title: title ?? `HTTP ${response.status}`,
    detail,
    errors: Array.isArray(errors) && errors.length ? errors : field ? [{ field, message: detail ?? title }] : [],
    retryAfter: seconds(response.headers.get('Retry-After')),
  });
}

/** The seconds of Retry-After, which is a number of seconds or a date. */
function seconds(retryAfter) {
  if (!retryAfter) return 0;
  const wait = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(wait) ? Math.max(0, Math.ceil(wait)) : 0;
}
