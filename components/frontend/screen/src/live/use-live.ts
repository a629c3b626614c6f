// Data that stay true while they are on the screen.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Loaded } from '../api/client';
import { accessToken } from '../api/token';
import { language } from '../preferences';
import type { PlatformEvent } from './events';
import { isLive, onEvents } from './feed';
import { Poller, type Freshness } from './poller';

export interface Live<T> {
  /** The last data; undefined before the first response. */
  data: T | undefined;
  freshness: Freshness;
  /** Whether the data belong to a former query. */
  isBusy: boolean;
  /** Fetches the data again. */
  reload: () => void;
  /** Fetches the data often for a while: a change is expected. */
  accelerate: () => void;
}

interface Options {
  /** Whether these events concern the data; every event does without it. */
  concerns?: (event: PlatformEvent) => boolean;
  /** The data change a moment after their event. */
  followsLater?: boolean;
  /** The data have no events: they are always polled. */
  polled?: boolean;
}

/** The last data of each key, shown at once when a view is opened again. */
const lastData = new Map<string, unknown>();
const MAX_LAST = 40;

function keep(key: string, data: unknown): void {
  lastData.delete(key);
  lastData.set(key, data);
  if (lastData.size > MAX_LAST) lastData.delete(lastData.keys().next().value ?? '');
}

interface State<T> {
  key: string;
  data?: T;
  freshness: Freshness;
}

/** Loads data, and again whenever an event concerns them, the stream begins or ends, or `key` changes. */
export function useLive<T>(key: string, load: (signal: AbortSignal) => Promise<Loaded<T>>, options: Options = {}): Live<T> {
  const fullKey = `${language.value} ${accessToken.value ?? ''} ${key}`;
  const [state, setState] = useState<State<T>>(() => ({ key: '', ...(lastData.has(fullKey) && { data: lastData.get(fullKey) as T }), freshness: { state: 'loading' } }));
  const current = useRef({ load, options });
  current.current = { load, options };
  const poller = useRef<Poller>(undefined);

  useEffect(() => {
    const polled = async (signal: AbortSignal) => {
      const { body, asOf, stale } = await current.current.load(signal);
      if (signal.aborted) return { asOf, stale };
      keep(fullKey, body);
      setState((before) => ({ key: fullKey, data: body, freshness: before.freshness }));
      return { asOf, stale };
    };
    // The data on the screen keep their time when they cannot be refreshed.
    const show = (freshness: Freshness) =>
      setState((before) => {
        const { asOf } = before.freshness;
        return { ...before, freshness: { ...(asOf !== undefined && { asOf }), ...freshness } };
      });
    const created = new Poller(polled, show, !current.current.options.polled && isLive.peek());
    poller.current = created;
    void created.pollNow();
    const stopEvents = onEvents((events) => {
      const { concerns, followsLater = false, polled: isPolled } = current.current.options;
      if (!isPolled && events.some((event) => concerns?.(event) ?? true)) created.changed(followsLater);
    });
    const stopLive = isLive.subscribe((live) => {
      if (!current.current.options.polled) created.live = live;
    });
    return () => {
      stopEvents();
      stopLive();
      created.stop();
    };
  }, [fullKey]);

  return {
    data: state.data,
    freshness: state.freshness,
    isBusy: state.key !== fullKey,
    reload: () => void poller.current?.pollNow(),
    accelerate: () => poller.current?.accelerate(),
  };
}
