// Changing a car: a dialog on the car as it is now, saved only if nobody else has changed it meanwhile (If-Match).

import { Problem, call } from './api.js';
import { clearForm, showFormProblem } from './notices.js';
import { word } from './words.js';

export class Editor {
  #saved;
  #dialog = document.getElementById('edit');
  #form = this.#dialog.querySelector('form');
  #notice = document.getElementById('edit-notice');
  #row;
  #etag;
  #saving = false;

  /** `saved(row, car)` hears of every change that went through. */
  constructor(saved) {
    this.#saved = saved;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
    this.#dialog.querySelector('[data-close]').addEventListener('click', () => this.#dialog.close());
  }

  /** Resolves once the dialog is open; throws a Problem if the car cannot be read. */
  async open(row) {
    this.#row = row;
    await this.#read();
    clearForm(this.#form, this.#notice);
    document.getElementById('edit-title').textContent = word('edit.title', row);
    this.#dialog.showModal();
  }

  async #read() {
    const { body: car, etag } = await call('GET', `/cars/${this.#row.carId}`);
    this.#etag = etag;
    for (const field of ['carName', 'carType', 'amount']) this.#form.elements.namedItem(field).value = car[field] ?? '';
  }

  async #save() {
    if (this.#saving) return;
    this.#saving = true;
    clearForm(this.#form, this.#notice);
    try {
      const car = readCar(this.#form);
      await call('PUT', `/cars/${this.#row.carId}`, { body: car, headers: this.#etag ? { 'If-Match': this.#etag } : {} });
      this.#dialog.close();
      this.#saved(this.#row, car);
    } catch (problem) {
      if (problem.status === 412) await this.#read().catch(() => undefined);
      showFormProblem(this.#form, this.#notice, word('edit.failed', this.#row), problem);
    } finally {
      this.#saving = false;
    }
  }
}

/**
 * The car a form describes; what was left empty is left out. The rules are the car context's own, so everything that
 * can be said in JSON is sent. Throws a Problem for an amount that cannot.
 */
export function readCar(form) {
  const input = (name) => form.elements.namedItem(name);
  const car = { carName: input('carName').value.trim() };
  const carType = input('carType').value.trim();
  if (carType) car.carType = carType;
  const amount = input('amount');
  if (amount.value === '' && !amount.validity.badInput) return car;
  car.amount = amount.valueAsNumber;
  if (!Number.isSafeInteger(car.amount)) {
    throw new Problem({ slug: 'invalid-field', errors: [{ field: 'amount', message: word('amount.wrong') }] });
  }
  return car;
}
