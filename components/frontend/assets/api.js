// How the screen talks to the platform: one call, answered with data or with a Problem (RFC 9457) that can be shown.

/** Nothing the platform promises takes longer; a call that does is given up. */
const PATIENCE = 15_000;

/** Why a call did not work. `slug` is the last part of the problem's type; `status` is 0 when no answer came at all. */
export class Problem extends Error {
  constructor({ slug, status = 0, title = '', detail = '', errors = [], retryAfter = 0 }) {
    super(detail || title || slug);
    Object.assign(this, { slug, status, title, detail, errors, retryAfter });
  }

  /** Without a clear answer the command may have been carried out all the same. */
  get outcomeUnknown() {
    return [0, 500, 502, 504].includes(this.status);
  }
}

/**
 * Sends one request and returns {status, body, etag}.
 * Throws a Problem for every answer but a success; throws the signal's own error when the caller gave up.
 */
export async function call(method, path, { body, headers = {}, signal } = {}) {
  const patience = AbortSignal.timeout(PATIENCE);
  let response;
  let text;
  try {
    response = await fetch(path, {
      method,
      headers: { Accept: 'application/json', ...(body && { 'Content-Type': 'application/json' }), ...headers },
      body: body && JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      cache: 'no-store',
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ slug: patience.aborted ? 'timeout' : 'unreachable' });
  }
  const data = parse(text);
  if (!response.ok) throw problem(response, data);
  return { status: response.status, body: data, etag: response.headers.get('ETag') };
}

/** A key for `Idempotency-Key`. Not randomUUID, which browsers only offer on https and localhost. */
export function freshKey() {
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

/** Retry-After is a number of seconds or a date. */
function seconds(retryAfter) {
  if (!retryAfter) return 0;
  const wait = /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  return Number.isFinite(wait) ? Math.max(0, Math.ceil(wait)) : 0;
}
