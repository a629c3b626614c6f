// The dialog that edits a car. It shows the current state, and saves only if the car has not changed since (If-Match). If
// it has, what was typed stays, and the fields that differ show what was saved meanwhile.

import { Problem, call } from './api.js';
import { clearForm, markField, showFormProblem } from './notices.js';
import { word } from './words.js';

const FIELDS = ['carName', 'carType', 'amount'];

export class Editor {
  #saved;
  #dialog = document.getElementById('edit');
  #form = this.#dialog.querySelector('form');
  #notice = document.getElementById('edit-notice');
  #row;
  #etag;
  #saving = false;

  /** `saved(row, car)` is called after every successful change. */
  constructor(saved) {
    this.#saved = saved;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#save();
    });
    this.#dialog.querySelector('[data-close]').addEventListener('click', () => this.#dialog.close());
  }

  /** Resolves when the dialog is open; throws a Problem if the car cannot be read. */
  async open(row) {
    this.#row = row;
    const car = await this.#read();
    for (const field of FIELDS) this.#form.elements.namedItem(field).value = car[field] ?? '';
    clearForm(this.#form, this.#notice);
    document.getElementById('edit-title').textContent = word('edit.title', row);
    this.#dialog.showModal();
  }

  async #read() {
    const { body: car, etag } = await call('GET', `/cars/${this.#row.carId}`);
    this.#etag = etag;
    return car;
  }

  /** Reads the car that was saved meanwhile, and returns an error for each field in which the form differs. */
  async #conflicts() {
    const car = await this.#read();
    const differs = (field) => String(car[field] ?? '') !== this.#form.elements.namedItem(field).value.trim();
    const message = (field) => word('field.current', { value: car[field] === '' ? word('field.empty') : car[field] });
    return FIELDS.filter(differs).map((field) => ({ field, message: message(field) }));
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
      showFormProblem(this.#form, this.#notice, word('edit.failed', this.#row), problem);
      if (problem.status === 412) {
        const conflicts = await this.#conflicts().catch(() => []);
        for (const { field, message } of conflicts) markField(this.#form, field, message);
      }
    } finally {
      this.#saving = false;
    }
  }
}

/**
 * The car in a form, without the fields that are empty. The car context validates the values, so every value that JSON
 * can express is sent. Throws a Problem for an amount that JSON cannot express exactly.
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
