// Polling for one part of the screen. Each part has its own poller, so that a failure of the message context does not
// stop the list of cars.
//
// At most one request of a poller is in progress. Polling pauses while the tab is hidden. The interval doubles after every
// failure and is never shorter than Retry-After.

/** Interval between polls, in milliseconds. */
const INTERVAL = 2_000;
/** Interval while a change is expected, in milliseconds. */
const SHORT_INTERVAL = 400;
/** Longest interval after failures, in milliseconds. */
const MAX_INTERVAL = 15_000;

export class Poller {
  #load;
  #showStatus;
  #timer;
  #running;
  #failures = 0;
  #acceleratedUntil = 0;

  /** `load(signal)` fetches and shows data; `showStatus(state, seconds)` is called with 'live', 'paused' or 'failing'. */
  constructor(load, showStatus) {
    this.#load = load;
    this.#showStatus = showStatus;
    document.addEventListener('visibilitychange', () => this.#visibilityChanged());
    window.addEventListener('online', () => this.pollNow());
  }

  /** Polls at once. A request in progress is aborted, because the query may have changed. */
  async pollNow() {
    clearTimeout(this.#timer);
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const wait = await this.#poll(running.signal);
    if (this.#running !== running) return;
    this.#running = undefined;
    this.#schedule(wait);
  }

  /** Polls at the short interval for a while, unless the last poll failed. */
  accelerate(duration = 5_000) {
    this.#acceleratedUntil = Date.now() + duration;
    if (!this.#running && !this.#failures) this.#schedule(SHORT_INTERVAL);
  }

  /** Polls once, and returns the time until the next poll. */
  async #poll(signal) {
    try {
      await this.#load(signal);
    } catch (error) {
      if (signal.aborted) return 0;
      const wait = this.#backOff(error.retryAfter ?? 0);
      this.#showStatus('failing', Math.ceil(wait / 1000));
      if (!('slug' in error)) console.error(error);
      return wait;
    }
    if (!signal.aborted) {
      this.#failures = 0;
      this.#showStatus('live');
    }
    return Date.now() < this.#acceleratedUntil ? SHORT_INTERVAL : INTERVAL;
  }

  /** Half of the interval is random, so that many screens do not retry at the same time. */
  #backOff(retryAfter) {
    this.#failures += 1;
    const wait = Math.min(MAX_INTERVAL, INTERVAL * 2 ** this.#failures);
    return Math.max(wait * (0.5 + Math.random() / 2), retryAfter * 1000);
  }

  #schedule(wait) {
    clearTimeout(this.#timer);
    if (document.hidden) this.#showStatus('paused');
    else this.#timer = setTimeout(() => this.pollNow(), wait);
  }

  #visibilityChanged() {
    if (!document.hidden) this.pollNow();
    else if (!this.#running) this.#schedule(INTERVAL);
  }
}
