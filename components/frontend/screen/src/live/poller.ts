// Polling for one part of the screen. Each part has its own poller, so that a failure of one context does not stop the
// others.
//
// At most one request of a poller is in progress. Polling pauses while the tab is hidden. The interval doubles after every
// failure and is never shorter than Retry-After. While the live stream tells of changes, polls are rare: they show that
// what is on the screen is still true.

import { Problem } from '../api/problem';

/** Interval between polls, in milliseconds. */
const INTERVAL = 2_000;
/** Interval between polls while changes arrive by themselves, in milliseconds. */
const LIVE_INTERVAL = 15_000;
/** Interval while a change is expected, in milliseconds. */
const SHORT_INTERVAL = 400;
/** The mean time between polls because of changes, in milliseconds, and how many of them may follow each other at once. */
const CHANGE_INTERVAL = 300;
const CHANGE_BURST = 3;
/** The time after an event in which the data that follow it are polled, in milliseconds. */
const FOLLOW_TIME = 3_000;
/** Longest interval after failures, in milliseconds. */
const MAX_INTERVAL = 15_000;

export type FreshnessState = 'loading' | 'live' | 'polling' | 'stale' | 'paused' | 'failing';

export interface Freshness {
  state: FreshnessState;
  /** Seconds between polls, or until the next attempt. */
  seconds?: number;
  /** The time of the data on the screen. */
  asOf?: number;
  /** Why the data cannot be refreshed. */
  problem?: Problem;
}

export interface Polled {
  asOf: number;
  stale: boolean;
}

export class Poller {
  #load: (signal: AbortSignal) => Promise<Polled>;
  #show: (freshness: Freshness) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | undefined;
  #failures = 0;
  #acceleratedUntil = 0;
  #isLive = false;
  #lastPolls: number[] = [];
  #changedDuringPoll = false;
  #stop = new AbortController();

  /** `load` fetches and shows data. `show` is called when the freshness of the data changes. */
  constructor(load: (signal: AbortSignal) => Promise<Polled>, show: (freshness: Freshness) => void, isLive: boolean) {
    this.#load = load;
    this.#show = show;
    this.#isLive = isLive;
    const { signal } = this.#stop;
    document.addEventListener('visibilitychange', () => this.#visibilityChanged(), { signal });
    addEventListener('online', () => void this.pollNow(), { signal });
    addEventListener('offline', () => void this.pollNow(), { signal });
  }

  stop(): void {
    this.#stop.abort();
    this.#running?.abort();
    clearTimeout(this.#timer);
  }

  /** Says whether the live stream tells of changes. What has changed before it began is fetched now. */
  set live(isLive: boolean) {
    if (this.#isLive === isLive) return;
    this.#isLive = isLive;
    if (!document.hidden) void this.pollNow();
  }

  /** Polls at once. A request in progress is aborted, because the query may have changed. */
  async pollNow(): Promise<void> {
    clearTimeout(this.#timer);
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.#lastPolls = [...this.#lastPolls, Date.now()].slice(-CHANGE_BURST);
    this.#changedDuringPoll = false;
    const wait = await this.#poll(running.signal);
    if (this.#running !== running || this.#stop.signal.aborted) return;
    this.#running = undefined;
    this.#schedule(this.#changedDuringPoll ? this.#changeWait() : wait);
  }

  /**
   * Polls because of a change: at once, or as soon as the interval between such polls allows. Data that follow later than
   * their event, such as messages, are then polled for a while.
   */
  changed(followsLater: boolean): void {
    if (followsLater) this.#acceleratedUntil = Date.now() + FOLLOW_TIME;
    if (this.#running) this.#changedDuringPoll = true;
    else if (!this.#failures) this.#schedule(this.#changeWait());
  }

  /** Polls at the short interval for a while, unless the last poll failed or changes arrive by themselves. */
  accelerate(duration = 5_000): void {
    if (this.#isLive) return;
    this.#acceleratedUntil = Date.now() + duration;
    if (!this.#running && !this.#failures) this.#schedule(SHORT_INTERVAL);
  }

  /** Polls once, and returns the time until the next poll. */
  async #poll(signal: AbortSignal): Promise<number> {
    let loaded: Polled;
    try {
      loaded = await this.#load(signal);
    } catch (error) {
      if (signal.aborted) return 0;
      const problem = error instanceof Problem ? error : new Problem({ slug: 'unreachable' });
      if (problem !== error && !(error instanceof TypeError)) console.error(error);
      const wait = this.#backOff(problem.retryAfter);
      this.#show({ state: 'failing', seconds: Math.ceil(wait / 1000), problem });
      return wait;
    }
    if (!signal.aborted) {
      this.#failures = 0;
      const state = loaded.stale ? 'stale' : this.#isLive ? 'live' : 'polling';
      this.#show({ state, seconds: INTERVAL / 1000, asOf: loaded.asOf });
    }
    if (Date.now() < this.#acceleratedUntil) return SHORT_INTERVAL;
    return this.#isLive && !loaded.stale ? LIVE_INTERVAL : INTERVAL;
  }

  /** The time until a poll because of a change is allowed. */
  #changeWait(): number {
    const [first] = this.#lastPolls;
    if (first === undefined || this.#lastPolls.length < CHANGE_BURST) return 0;
    return Math.max(0, first + CHANGE_INTERVAL * CHANGE_BURST - Date.now());
  }

  /** Half of the interval is random, so that many screens do not retry at the same time. */
  #backOff(retryAfter: number): number {
    this.#failures += 1;
    const wait = Math.min(MAX_INTERVAL, INTERVAL * 2 ** this.#failures);
    return Math.max(wait * (0.5 + Math.random() / 2), retryAfter * 1000);
  }

  #schedule(wait: number): void {
    clearTimeout(this.#timer);
    if (document.hidden) this.#show({ state: 'paused' });
    else this.#timer = setTimeout(() => void this.pollNow(), wait);
  }

  #visibilityChanged(): void {
    if (!document.hidden) void this.pollNow();
    else if (!this.#running) this.#schedule(INTERVAL);
  }
}
