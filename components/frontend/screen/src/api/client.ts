// The HTTP client of the screen: one call, which returns data or throws a Problem.

import { language } from '../preferences';
import { Problem, problemFrom } from './problem';
import { accessToken, wantToken } from './token';

/** The timeout of every call, in milliseconds. It is longer than every deadline of the platform. */
const TIMEOUT = 15_000;

/** The last responses that have an entity tag, by path and language: the server sends only what has changed. */
const known = new Map<string, { body: unknown; etag: string }>();
const MAX_KNOWN = 64;

export interface Loaded<T> {
  body: T;
  etag: string | null;
  /** The time of the data. */
  asOf: number;
  /** Whether the data are the last good response of a part that does not respond now. */
  stale: boolean;
}

export interface Options {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  accept?: string;
}

/** Throws a Problem for every response but a success, and the error of the signal when the caller aborted the call. */
export async function call<T>(method: string, path: string, { body, headers = {}, signal, accept = 'application/json' }: Options = {}): Promise<Loaded<T>> {
  const token = accessToken.value;
  const key = `${language.value} ${token ?? ''} ${path}`;
  const before = method === 'GET' ? known.get(key) : undefined;
  const timeout = AbortSignal.timeout(TIMEOUT);
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      headers: {
        Accept: accept,
        'Accept-Language': language.value,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...(before && { 'If-None-Match': before.etag }),
        ...(token && { Authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      cache: 'no-store',
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem({ slug: timeout.aborted ? 'timeout' : 'unreachable' });
  }
  const time = freshness(response.headers);
  if (response.status === 304 && before) return { body: before.body as T, etag: before.etag, ...time };
  const data = response.headers.get('Content-Type')?.includes('json') ? parse(text) : text;
  if (response.status === 401) wantToken(token);
  if (!response.ok) throw problemFrom(response, data);
  const etag = response.headers.get('ETag');
  if (method === 'GET') remember(key, data, etag);
  return { body: data as T, etag, ...time };
}

/** `Age` and the warning 110 of the host say that a response is older than its request. */
function freshness(headers: Headers): { asOf: number; stale: boolean } {
  const age = Number(headers.get('Age') ?? 0);
  return { asOf: Date.now() - age * 1000, stale: headers.get('Warning')?.startsWith('110 ') ?? false };
}

function remember(key: string, body: unknown, etag: string | null): void {
  known.delete(key);
  if (etag) known.set(key, { body, etag });
  if (known.size > MAX_KNOWN) known.delete(known.keys().next().value ?? '');
}

/** A new value for `Idempotency-Key`. Not randomUUID, which browsers offer on https and localhost only. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `"${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}"`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
