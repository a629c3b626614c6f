// Keeps one part of the screen fresh: asks, waits, asks again. Each part has its own poller, so that a silent message
// context does not stop the list of cars.
//
// Bounded by construction: one request at a time, the next one only after the last has ended. Pauses while the tab is
// hidden, doubles its wait after every failure, and never comes back earlier than Retry-After says.

const CALM = 2_000;
const HURRIED = 400;
const LONGEST = 15_000;

export class Poller {
  #load;
  #pulse;
  #timer;
  #running;
  #failures = 0;
  #hurriedUntil = 0;

  /** `load(signal)` fetches and shows; `pulse(state, seconds)` hears 'live', 'paused' or 'failing'. */
  constructor(load, pulse) {
    this.#load = load;
    this.#pulse = pulse;
    document.addEventListener('visibilitychange', () => this.#wakeOrSleep());
    window.addEventListener('online', () => this.now());
  }

  /** Asks at once; an answer still on its way is dropped, because the question may have changed. */
  async now() {
    clearTimeout(this.#timer);
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const wait = await this.#ask(running.signal);
    if (this.#running !== running) return;
    this.#running = undefined;
    this.#schedule(wait);
  }

  /** Something is about to change: looks more often for a while, unless the server is in trouble. */
  hurry(duration = 5_000) {
    this.#hurriedUntil = Date.now() + duration;
    if (!this.#running && !this.#failures) this.#schedule(HURRIED);
  }

  /** One question; returns how long to wait before the next. */
  async #ask(signal) {
    try {
      await this.#load(signal);
    } catch (error) {
      if (signal.aborted) return 0;
      const wait = this.#backOff(error.retryAfter ?? 0);
      this.#pulse('failing', Math.ceil(wait / 1000));
      if (!('slug' in error)) console.error(error);
      return wait;
    }
    if (!signal.aborted) {
      this.#failures = 0;
      this.#pulse('live');
    }
    return Date.now() < this.#hurriedUntil ? HURRIED : CALM;
  }

  /** Half of the wait is random, so that a thousand screens do not return in the same instant. */
  #backOff(retryAfter) {
    this.#failures += 1;
    const wait = Math.min(LONGEST, CALM * 2 ** this.#failures);
    return Math.max(wait * (0.5 + Math.random() / 2), retryAfter * 1000);
  }

  #schedule(wait) {
    clearTimeout(this.#timer);
    if (document.hidden) this.#pulse('paused');
    else this.#timer = setTimeout(() => this.now(), wait);
  }

  #wakeOrSleep() {
    if (!document.hidden) this.now();
    else if (!this.#running) this.#schedule(CALM);
  }
}
