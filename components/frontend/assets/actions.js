// What can be done with one car of the list: reserve, cancel, edit, delete.
//
// A command is answered at once, but the list shows its effect only after the events have arrived. Until then the car
// is pending: its buttons wait, so that a second click cannot mean something else than the first.

import { call, freshKey } from './api.js';
import { Editor } from './editor.js';
import { hideNotice, showProblem, toast } from './notices.js';
import { word } from './words.js';

/** How long the list may lag behind before we stop waiting for it. */
const PATIENCE = 15_000;
/** How long a reservation without a clear answer keeps its key, so that trying again cannot reserve twice. */
const KEY_LIFETIME = 60_000;
const UNKNOWN = null;

export class Actions {
  #changed;
  #notice = document.getElementById('fleet-notice');
  #editor;
  #pending = new Map();
  #keys = new Map();

  /** `changed()` is called when a car became pending or no longer is. */
  constructor(changed) {
    this.#changed = changed;
    this.#editor = new Editor((row, car) => {
      toast(word('edit.done', row));
      this.#await(row.carId, { settled: (now) => now?.carName === car.carName && (now.amount ?? null) === (car.amount ?? null) });
    });
  }

  /** Whether a command for this car is on its way; not longer than our patience, even when the view is silent. */
  isPending(carId) {
    const pending = this.#pending.get(carId);
    return pending !== undefined && !(Date.now() > pending.until);
  }

  /** What cannot be undone is asked about first. */
  async run(action, row) {
    hideNotice(this.#notice);
    switch (action) {
      case 'reserve':
        return this.#try(action, row, () => this.#reserve(row));
      case 'cancel':
        return (await ask(action, row)) && this.#try(action, row, () => this.#cancel(row));
      case 'edit':
        return this.#try(action, row, () => this.#editor.open(row));
      case 'delete':
        return (await ask(action, row)) && this.#try(action, row, () => this.#delete(row));
    }
  }

  /** Compares what we wait for with what the view says now; a car that is not on this page is asked for by itself. */
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
    this.#await(carId, {
      settled: (now) => now?.rsvId === body.rsvId && now.rsvStatus === 'reserved' && now.carStatus === 'reserved',
      done: word('reserve.done', row),
    });
  }

  async #cancel(row) {
    const { carId, rsvId } = row;
    await call('PATCH', `/reservations/${rsvId}`, { body: { status: 'reqCancel' } });
    toast(word('cancel.sent', row));
    this.#await(carId, {
      settled: (now) => now?.rsvId !== rsvId || (now.rsvStatus === 'cancelled' && now.carStatus === 'available'),
      done: word('cancel.done', row),
    });
  }

  async #delete(row) {
    await call('DELETE', `/cars/${row.carId}`);
    toast(word('delete.done', row));
    this.#await(row.carId, { settled: (now) => now === undefined });
  }

  /** The car waits while the command is on its way; a refusal is shown above the list. */
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

  #await(carId, expectation) {
    this.#pending.set(carId, { ...expectation, until: Date.now() + PATIENCE });
    this.#changed();
  }

  #key(carId) {
    const known = this.#keys.get(carId);
    if (known && Date.now() < known.until) return known.key;
    const key = freshKey();
    this.#keys.set(carId, { key, until: Date.now() + KEY_LIFETIME });
    return key;
  }
}

/** The car's row in the view; undefined when it has none, UNKNOWN when the view does not say. */
async function lookUp(carId, signal) {
  try {
    return (await call('GET', `/carviews/${carId}`, { signal })).body;
  } catch (problem) {
    if (signal.aborted) throw problem;
    return problem.status === 404 ? undefined : UNKNOWN;
  }
}

/** Leaving the dialog by any other way than its second button means no. */
function ask(action, row) {
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
