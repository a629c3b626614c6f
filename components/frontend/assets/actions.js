// The commands for one car of the list: reserve, cancel, edit, delete.
//
// The response to a command arrives before its events, and the list shows the effect only after the events. Until then
// the car is pending and its buttons are disabled, so that a second click cannot start another command.

import { call, newIdempotencyKey } from './api.js';
import { Editor } from './editor.js';
import { hideNotice, showProblem, toast } from './notices.js';
import { word } from './words.js';

/** The longest time for which a car is pending, in milliseconds. */
const PENDING_TIMEOUT = 15_000;
/** The time for which a reservation with an unknown outcome keeps its key, in milliseconds: a retry with the same key
 * cannot reserve twice. */
const KEY_LIFETIME = 60_000;
const UNKNOWN = null;

export class Actions {
  #changed;
  #notice = document.getElementById('fleet-notice');
  #editor;
  #pending = new Map();
  #keys = new Map();

  /** `changed()` is called when a car becomes pending, and when it ceases to be. */
  constructor(changed) {
    this.#changed = changed;
    this.#editor = new Editor((row, car) => {
      toast(word('edit.done', row));
      this.#expect(row.carId, { settled: (now) => now?.carName === car.carName && (now.amount ?? null) === (car.amount ?? null) });
    });
  }

  /** Whether a command for this car is in progress. After PENDING_TIMEOUT it is not, even if the view does not answer. */
  isPending(carId) {
    const pending = this.#pending.get(carId);
    return pending !== undefined && !(Date.now() > pending.until);
  }

  /** Executes a command. One that cannot be undone requires a confirmation. */
  async run(action, row) {
    hideNotice(this.#notice);
    switch (action) {
      case 'reserve':
        return this.#try(action, row, () => this.#reserve(row));
      case 'cancel':
        return (await confirmed(action, row)) && this.#try(action, row, () => this.#cancel(row));
      case 'edit':
        return this.#try(action, row, () => this.#editor.open(row));
      case 'delete':
        return (await confirmed(action, row)) && this.#try(action, row, () => this.#delete(row));
    }
  }

  /** Compares the expected effects with the rows of the view. A pending car that is not among them is fetched alone. */
  async settle(rows, signal) {
    for (const [carId, { settled, done, until }] of this.#pending) {
      if (!settled) continue;
      const row = rows.find((each) => each.carId === carId) ?? (await lookUp(carId, signal));
      const over = Date.now() > until;
      const seen = row !== UNKNOWN && settled(row);
      if (!seen && !over) continue;
      this.#pending.delete(carId);
      if (!seen) toast(word('slow'));
      else if (done) toast(done);
    }
  }

  async #reserve(row) {
    const { carId } = row;
    const { body } = await call('POST', '/reservations', {
      body: { carId, status: 'reqReserve' },
      headers: { 'Idempotency-Key': this.#key(carId) },
    });
    this.#keys.delete(carId);
    toast(word('reserve.sent', row));
    this.#expect(carId, {
      settled: (now) => now?.rsvId === body.rsvId && now.rsvStatus === 'reserved' && now.carStatus === 'reserved',
      done: word('reserve.done', row),
    });
  }

  async #cancel(row) {
    const { carId, rsvId } = row;
    await call('PATCH', `/reservations/${rsvId}`, { body: { status: 'reqCancel' } });
    toast(word('cancel.sent', row));
    this.#expect(carId, {
      settled: (now) => now?.rsvId !== rsvId || (now.rsvStatus === 'cancelled' && now.carStatus === 'available'),
      done: word('cancel.done', row),
    });
  }

  async #delete(row) {
    await call('DELETE', `/cars/${row.carId}`);
    toast(word('delete.done', row));
    this.#expect(row.carId, { settled: (now) => now === undefined });
  }

  /** Executes a command while its car is pending, and shows a problem above the list. */
  async #try(action, row, work) {
    this.#pending.set(row.carId, {});
    this.#changed();
    try {
      await work();
    } catch (problem) {
      if (!problem.outcomeUnknown) this.#keys.delete(row.carId);
      if (!('slug' in problem)) console.error(problem);
      showProblem(this.#notice, word(`${action}.failed`, row), problem);
    }
    if (!this.#pending.get(row.carId)?.settled) this.#pending.delete(row.carId);
    this.#changed();
  }

  #expect(carId, expectation) {
    this.#pending.set(carId, { ...expectation, until: Date.now() + PENDING_TIMEOUT });
    this.#changed();
  }

  #key(carId) {
    const known = this.#keys.get(carId);
    if (known && Date.now() < known.until) return known.key;
    const key = newIdempotencyKey();
    this.#keys.set(carId, { key, until: Date.now() + KEY_LIFETIME });
    return key;
  }
}

/** The car's row in the view; undefined if it has none, UNKNOWN if the view does not answer. */
async function lookUp(carId, signal) {
  try {
    return (await call('GET', `/carviews/${carId}`, { signal })).body;
  } catch (problem) {
    if (signal.aborted) throw problem;
    return problem.status === 404 ? undefined : UNKNOWN;
  }
}

/** Asks for a confirmation. Closing the dialog in any other way than with its second button means no. */
function confirmed(action, row) {
  const dialog = document.getElementById('confirm');
  document.getElementById('confirm-title').textContent = word(`${action}.ask`);
  document.getElementById('confirm-text').textContent = word(`${action}.text`, row);
  document.getElementById('confirm-yes').textContent = word(action);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
