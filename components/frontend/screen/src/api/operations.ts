// The operations of the host, on the address of the screen, for operators.

import { call, type Loaded } from './client';

const BASE = '/operations';

export interface Breaker {
  link: string;
  state: 'closed' | 'open' | 'half-open' | 'forced-open' | 'disabled';
  sinceMs: number;
  retryAfterMs: number | null;
  window: { calls: number; failed: number; slow: number };
  consecutiveFailures: number;
  openings: number;
  totals: { succeeded: number; slow: number; failed: number; ignored: number; refused: number };
}

export interface InstanceCounts {
  alive: number;
  busy: number;
  max: number;
}

export interface DeadLetter {
  id: string;
  parked_at: number;
  group: string;
  stream: string;
  entry: string;
  attempts: number;
  error: string;
  event: string;
}

export const FAULTS = ['latency', 'error', 'trap', 'spin', 'hoard', 'drop'] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultInjection {
  to: string;
  from?: string;
  fault: Fault;
  latency_ms?: number;
  rate?: number;
  seconds: number;
}

export interface ActiveFault extends FaultInjection {
  id: number;
  /** The milliseconds until it ends by itself, at the time of the response. */
  remaining_ms: number;
}

export interface Rebuild {
  state: 'running' | 'done' | 'failed';
  events: number;
  asked: number;
  error?: string;
}

/** One readiness check of the host. */
export interface HealthCheck {
  name: string;
  cause?: string;
}

type Signal = AbortSignal | undefined;

export const listBreakers = (signal?: Signal) => call<{ breakers: Breaker[] }>('GET', `${BASE}/breakers`, { signal });
export const forceOpen = (link: string) => call<Breaker>('POST', `${BASE}/breakers/force-open`, { body: { link } });
export const resetBreaker = (link: string) => call<Breaker>('POST', `${BASE}/breakers/reset`, { body: { link } });
export const listInstances = (signal?: Signal) =>
  call<{ generation: number; components: Record<string, InstanceCounts> }>('GET', `${BASE}/instances`, { signal });

export const listDeadLetters = (after: string, signal?: Signal) =>
  call<{ letters: DeadLetter[]; next: string | null }>('GET', `${BASE}/dead-letters?limit=100${after && `&after=${encodeURIComponent(after)}`}`, { signal });
export const redrive = (id: string) => call<unknown>('POST', `${BASE}/dead-letters/${encodeURIComponent(id)}/redrive`);
export const discard = (id: string) => call<unknown>('DELETE', `${BASE}/dead-letters/${encodeURIComponent(id)}`);

export const listFaults = (signal?: Signal) => call<{ experiments: ActiveFault[] }>('GET', `${BASE}/chaos`, { signal });
export const injectFault = (fault: FaultInjection) => call<ActiveFault>('POST', `${BASE}/chaos`, { body: fault });
export const endFault = (id: number) => call<unknown>('DELETE', `${BASE}/chaos/${id}`);

export const readRebuild = (signal?: Signal) => call<Rebuild>('GET', `${BASE}/rebuild/viewpage`, { signal });
export const startRebuild = () => call<Rebuild>('POST', `${BASE}/rebuild/viewpage`);

/** All metrics, in the text format of Prometheus. */
export const readMetrics = (signal?: Signal) => call<string>('GET', `${BASE}/metrics`, { signal, accept: 'text/plain' });

/** The readiness checks. A host that is not ready answers with 503 and the same text. */
export async function readHealth(signal?: Signal): Promise<Loaded<HealthCheck[]>> {
  const response = await fetch('/readyz?verbose', { signal: signal ?? null, cache: 'no-store' });
  const lines = (await response.text()).split('\n');
  const checks = lines.flatMap((line): HealthCheck[] => {
    const [, mark, name = '', cause] = /^\[([+-])\] (.+?)(?: ok$|: (.*)$)/.exec(line) ?? [];
    return mark ? [mark === '+' ? { name } : { name, cause: cause ?? '' }] : [];
  });
  return { body: checks, etag: null, asOf: Date.now(), stale: false };
}
