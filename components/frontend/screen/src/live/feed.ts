// The one stream of events that all views share: whether it is live, its latest events, and which cars have changed.

import { signal } from '@preact/signals';
import type { PlatformEvent } from './events';
import { LiveStream } from './stream';

/** Number of events that the screen keeps. */
const KEPT = 500;
/** The time in which changes are collected before the views read them, in milliseconds. */
const COLLECT = 30;

/** Whether the stream tells of changes now. */
export const isLive = signal(false);
/** The latest events, newest first. */
export const latestEvents = signal<readonly PlatformEvent[]>([]);

type Listener = (events: readonly PlatformEvent[]) => void;
const listeners = new Set<Listener>();
let collected: PlatformEvent[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

/** Calls `listener` with new events, a few at a time, until the returned function is called. */
export function onEvents(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// It opens by itself, and closes while the page is hidden.
new LiveStream(
  (event) => {
    collected.push(event);
    timer ??= setTimeout(publish, COLLECT);
  },
  (live) => (isLive.value = live),
);

function publish(): void {
  const events = collected;
  collected = [];
  timer = undefined;
  latestEvents.value = [...events.toReversed(), ...latestEvents.value].slice(0, KEPT);
  for (const listener of listeners) listener(events);
}
