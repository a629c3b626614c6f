// The live stream of changes: Server-Sent Events of the host, where it offers them.
//
// A lost connection is opened again with the position of the last event, and the host then sends what was missed. A
// refusal ends the stream: there is none (stock Spin), there are too many listeners, the caller may not listen, or the host
// no longer has all changes. The page then polls, and tries again later. A hidden page does not listen, because a browser
// has few connections for all pages of one address. `fetch` and not `EventSource` reads the stream, because a request for a
// stream needs the access token of the user.

import { accessToken } from '../api/token';
import type { PlatformEvent } from './events';
import { MessageParser } from './message-parser';

const PATH = '/carviews/stream';
/** The first and the longest time until a refused stream is tried again, in milliseconds. */
const RETRY = 1_000;
const MAX_RETRY = 60_000;
/** A connection without a byte for this time is broken: three heartbeats, in milliseconds. */
const SILENCE = 45_000;

export class LiveStream {
  #received: (event: PlatformEvent) => void;
  #switched: (isLive: boolean) => void;
  #connection: AbortController | undefined;
  #position = '';
  #reconnect = 2_000;
  #retry = RETRY;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;

  /** `received` is called with each event, `switched` when the stream begins or ends. */
  constructor(received: (event: PlatformEvent) => void, switched: (isLive: boolean) => void) {
    this.#received = received;
    this.#switched = switched;
    document.addEventListener('visibilitychange', () => (document.hidden ? this.close() : this.open()));
    addEventListener('pagehide', () => this.close());
    addEventListener('pageshow', () => this.open());
    addEventListener('online', () => this.open());
    accessToken.subscribe(() => {
      this.#position = '';
      this.close();
      this.open();
    });
  }

  open(): void {
    if (this.#connection || document.hidden) return;
    clearTimeout(this.#retryTimer);
    const connection = new AbortController();
    this.#connection = connection;
    void this.#listen(connection.signal).then((wait) => {
      if (this.#connection !== connection) return;
      this.close();
      this.#retryTimer = setTimeout(() => this.open(), wait);
    });
  }

  close(): void {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#silenceTimer);
    this.#connection?.abort();
    this.#connection = undefined;
    this.#switched(false);
  }

  /** Reads the stream until it ends, and returns the time until the next attempt. */
  async #listen(signal: AbortSignal): Promise<number> {
    try {
      const token = accessToken.value;
      const response = await fetch(PATH, {
        headers: {
          Accept: 'text/event-stream',
          ...(this.#position && { 'Last-Event-ID': this.#position }),
          ...(token && { Authorization: `Bearer ${token}` }),
        },
        cache: 'no-store',
        signal,
      });
      const isStream = response.headers.get('Content-Type')?.startsWith('text/event-stream');
      if (!response.ok || !response.body || !isStream) {
        if (response.status === 410) this.#position = '';
        void response.body?.cancel();
        return this.#backOff();
      }
      await this.#read(response.body, signal);
    } catch {
      // The connection was lost, or could not be made.
      if (!this.#position) return this.#backOff();
    }
    return this.#reconnect * (0.5 + Math.random() / 2);
  }

  async #read(body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const parser = new MessageParser();
    this.#retry = RETRY;
    this.#watchSilence();
    this.#switched(true);
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      this.#watchSilence();
      for (const message of parser.push(decoder.decode(value, { stream: true }))) {
        if (message.retry !== undefined) this.#reconnect = message.retry;
        if (message.id !== undefined) this.#position = message.id;
        if (message.data) this.#received(JSON.parse(message.data) as PlatformEvent);
      }
    }
  }

  #watchSilence(): void {
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => {
      this.close();
      this.open();
    }, SILENCE);
  }

  /** Half of the time is random, so that many screens do not come again at the same time. */
  #backOff(): number {
    const wait = this.#retry * (0.5 + Math.random() / 2);
    this.#retry = Math.min(MAX_RETRY, this.#retry * 4);
    return wait;
  }
}
