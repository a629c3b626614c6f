// The list of cars: which part of it is shown (page, size, order, filter), and the figures above it.
// The question lives in the address bar, so that a reload or a copied link shows the same part.

import { call } from './api.js';
import { createRow, fillRow } from './row.js';
import { formatNumber, formatShare, word } from './words.js';

const COLUMNS = ['carId', 'carName', 'carType', 'amount', 'carStatus', 'rsvId', 'payId'];
const SIZES = [10, 20, 50, 100];
const STATUSES = ['', 'available', 'reserved'];

const element = (id) => document.getElementById(id);

export class Fleet {
  #actions;
  #ask;
  #question = questionFromAddress();
  #answer;
  #rows = new Map();
  #expected = new Set();

  /** `ask()` loads at once, because the question has changed. */
  constructor(actions, ask) {
    this.#actions = actions;
    this.#ask = ask;
    this.#prepareColumns();
    this.#prepareToolbar();
    this.#preparePager();
    element('rows').addEventListener('click', (event) => this.#click(event));
  }

  /** A car that was just registered is pointed out when it appears. */
  expect(carId) {
    this.#expected.add(carId);
  }

  /** Fetches the page in question and the figures, then shows them. */
  async load(signal) {
    const { page, size, sort, carStatus } = this.#question;
    const shown = view({ page, size, sort, carStatus }, signal);
    const count = (status) => (status === carStatus ? shown : view({ size: 1, carStatus: status }, signal));
    const answers = await Promise.all([shown, count(''), count('available')]);
    const [cars, all, available] = answers.map(({ body }) => body);
    if (page > 0 && page >= cars.page.totalPages) {
      this.#question.page = Math.max(0, cars.page.totalPages - 1);
      return this.load(signal);
    }
    const rows = cars._embedded?.carviews ?? [];
    await this.#actions.settle(rows, signal);
    this.#answer = { rows, page: cars.page, total: all.page.totalElements, available: available.page.totalElements };
    this.draw();
  }

  /** Shows the last answer again, after the language or a car's pending work has changed. */
  draw() {
    this.#drawColumns();
    if (!this.#answer) return;
    this.#drawRows();
    this.#drawFigures();
    this.#drawPager();
  }

  /** The list cannot be refreshed: what is known stays, and a first visitor is told why there is nothing. */
  lost() {
    element('rows').setAttribute('aria-busy', 'false');
    if (this.#answer) return this.draw();
    element('empty').hidden = false;
    element('empty').textContent = word('fleet.unknown');
  }

  // === drawing ===

  /** Rows are kept and refilled, so that neither focus nor a text selection is lost to a refresh. */
  #drawRows() {
    const body = element('rows');
    const before = this.#rows;
    this.#rows = new Map();
    for (const row of this.#answer.rows) {
      const kept = before.get(row.carId) ?? { element: createRow(row.carId) };
      kept.row = row;
      fillRow(kept.element, row, this.#actions.isPending(row.carId));
      if (this.#expected.delete(row.carId)) kept.element.classList.add('new');
      this.#rows.set(row.carId, kept);
    }
    const wanted = [...this.#rows.values()].map((kept) => kept.element);
    const focused = body.contains(document.activeElement) && document.activeElement.closest('tr');
    for (const { element: gone } of before.values()) if (!wanted.includes(gone)) gone.remove();
    wanted.forEach((row, position) => {
      if (body.children[position] !== row) body.insertBefore(row, body.children[position] ?? null);
    });
    if (focused && !focused.isConnected) element('fleet-title').focus();
    body.setAttribute('aria-busy', 'false');
    const empty = element('empty');
    empty.hidden = wanted.length > 0;
    empty.textContent = word(this.#question.carStatus ? 'fleet.none' : 'fleet.empty');
  }

  #drawFigures() {
    const { total, available } = this.#answer;
    const reserved = Math.max(0, total - available);
    const share = total ? reserved / total : 0;
    element('figure-total').textContent = formatNumber(total);
    element('figure-available').textContent = formatNumber(available);
    element('figure-reserved').textContent = formatNumber(reserved);
    element('figure-share').textContent = total ? formatShare(share) : '–';
    element('figure-bar').style.width = `${share * 100}%`;
  }

  #drawPager() {
    const { number, size, totalElements, totalPages } = this.#answer.page;
    const from = number * size + 1;
    const to = from + this.#answer.rows.length - 1;
    const [fromText, toText, total] = [from, to, totalElements].map(formatNumber);
    setText(element('range'), totalElements ? word('range', { from: fromText, to: toText, total }) : word('range.none'));
    setText(element('page-number'), word('page', { page: formatNumber(number + 1), pages: formatNumber(Math.max(1, totalPages)) }));
    for (const button of document.querySelectorAll('[data-page]')) {
      const target = this.#pageFor(button.dataset.page);
      button.ariaDisabled = String(target === number || target < 0 || target >= totalPages);
    }
  }

  #drawColumns() {
    const [column, direction] = this.#question.sort.split(',');
    for (const head of element('columns').querySelectorAll('[data-column]')) {
      const sorted = head.dataset.column === column;
      head.ariaSort = sorted ? (direction === 'asc' ? 'ascending' : 'descending') : 'none';
      head.querySelector('.column-name').textContent = word(head.dataset.column);
    }
    for (const option of element('sort').options) {
      const [name, order] = option.value.split(',');
      option.textContent = word(`sort.${order}`, { column: word(name) });
    }
    element('sort').value = this.#question.sort;
  }

  // === asking ===

  #change(change) {
    Object.assign(this.#question, { page: 0 }, change);
    history.replaceState(null, '', addressFor(this.#question));
    element('rows').setAttribute('aria-busy', 'true');
    this.#drawColumns();
    this.#ask();
  }

  #prepareColumns() {
    for (const column of COLUMNS) {
      const head = document.createElement('th');
      head.scope = 'col';
      head.role = 'columnheader';
      head.dataset.column = column;
      const button = document.createElement('button');
      button.type = 'button';
      const name = document.createElement('span');
      name.className = 'column-name';
      button.append(name);
      button.addEventListener('click', () => {
        const direction = this.#question.sort === `${column},asc` ? 'desc' : 'asc';
        this.#change({ sort: `${column},${direction}` });
      });
      head.append(button);
      element('columns').append(head);
      for (const order of ['asc', 'desc']) element('sort').append(new Option('', `${column},${order}`));
    }
    const actions = document.createElement('th');
    actions.scope = 'col';
    actions.role = 'columnheader';
    actions.dataset.text = 'actions';
    element('columns').append(actions);
  }

  #prepareToolbar() {
    const { carStatus, size } = this.#question;
    for (const radio of document.querySelectorAll('[name=carStatus]')) {
      radio.checked = radio.value === carStatus;
      radio.addEventListener('change', () => this.#change({ carStatus: radio.value }));
    }
    element('size').value = String(size);
    element('size').addEventListener('change', (event) => this.#change({ size: Number(event.target.value) }));
    element('sort').addEventListener('change', (event) => this.#change({ sort: event.target.value }));
  }

  #preparePager() {
    for (const button of document.querySelectorAll('[data-page]')) {
      button.addEventListener('click', () => {
        if (button.ariaDisabled !== 'true' && this.#answer) this.#change({ page: this.#pageFor(button.dataset.page) });
      });
    }
  }

  #pageFor(name) {
    const { number, totalPages } = this.#answer.page;
    return { first: 0, prev: number - 1, next: number + 1, last: Math.max(0, totalPages - 1) }[name];
  }

  #click(event) {
    const button = event.target.closest('button[data-action]');
    if (!button || button.ariaDisabled === 'true') return;
    const kept = this.#rows.get(Number(button.closest('tr').dataset.carId));
    if (kept) this.#actions.run(button.dataset.action, kept.row);
  }
}

function view(question, signal) {
  const given = Object.entries(question).filter(([, value]) => value !== '');
  return call('GET', `/carviews?${new URLSearchParams(given)}`, { signal });
}

/** What the address asks for, as far as it makes sense; newest cars first otherwise. */
function questionFromAddress() {
  const address = new URLSearchParams(location.search);
  const known = (name, choices, otherwise) => choices.find((choice) => String(choice) === address.get(name)) ?? otherwise;
  const sorts = COLUMNS.flatMap((column) => [`${column},asc`, `${column},desc`]);
  const page = Number(address.get('page'));
  return {
    page: Number.isSafeInteger(page) && page > 0 ? page : 0,
    size: known('size', SIZES, 10),
    sort: known('sort', sorts, 'carId,desc'),
    carStatus: known('carStatus', STATUSES, ''),
  };
}

function addressFor(question) {
  const given = Object.entries(question).filter(([, value]) => value !== '' && value !== 0);
  return `?${new URLSearchParams(given)}`;
}

function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
