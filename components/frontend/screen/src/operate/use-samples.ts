// The last values of a figure, for a sparkline. The host keeps no history: it begins when the page is opened.

import { useRef } from 'preact/hooks';

const KEPT = 60;

/** Adds the values of each new response, by name, and returns all that are kept. */
export function useSamples(response: unknown, values: Record<string, number>): Record<string, number[]> {
  const samples = useRef<Record<string, number[]>>({});
  const last = useRef<unknown>(undefined);
  if (response !== undefined && response !== last.current) {
    last.current = response;
    for (const [name, value] of Object.entries(values)) samples.current[name] = [...(samples.current[name] ?? []), value].slice(-KEPT);
  }
  return samples.current;
}
