// The list of cars: the query (page, size, order, filter), its rows, and the figures above them. The query is part of the
// URL, so that a reload or a copied link shows the same rows.

import { call } from './api.js';
import { createRow, fillRow } from './row.js';
import { formatNumber, formatShare, word } from './words.js';

const COLUMNS = ['carId', 'carName', 'carType', 'amount', 'carStatus', 'rsvId', 'payId'];
const SIZES = [10, 20, 50, 100];
const STATUSES = ['', 'available', 'reserved'];

const element = (id) => document.getElementById(id);

export class Fleet {
  #actions;
  #reload;
  #query = queryFromUrl();
  #result;
  #rows = new Map();
  #highlighted = new Set();

  /** `reload()` is called when the query has changed. */
  constructor(actions, reload) {
    this.#actions = actions;
    this.#reload = reload;
    this.#prepareColumns();
    this.#prepareToolbar();
    this.#preparePager();
    element('rows').addEventListener('click', (event) => this.#click(event));
  }

  /** Highlights a new car when it appears. */
  highlight(carId) {
    this.#highlighted.add(carId);
  }

  /** Fetches and shows the page of the query and the figures. */
  async load(signal) {
    const { page, size, sort, carStatus } = this.#query;
    const shown = view({ page, size, sort, carStatus }, signal);
    const count = (status) => (status === carStatus ? shown : view({ size: 1, carStatus: status }, signal));
    const responses = await Promise.all([shown, count(''), count('available')]);
    const [cars, all, available] = responses.map(({ body }) => body);
    if (page > 0 && page >= cars.page.totalPages) {
      this.#query.page = Math.max(0, cars.page.totalPages - 1);
      return this.load(signal);
    }
    const rows = cars._embedded?.carviews ?? [];
    await this.#actions.settle(rows, signal);
    this.#result = { rows, page: cars.page, total: all.page.totalElements, available: available.page.totalElements };
    this.draw();
  }

  /** Shows the last result again, after a change of the language or of the pending cars. */
  draw() {
    this.#drawColumns();
    if (!this.#result) return;
    this.#drawRows();
    this.#drawFigures();
    this.#drawPager();
  }

  /** The list cannot be refreshed: the last result stays. Without a result, the list says so. */
  showFailure() {
    element('rows').setAttribute('aria-busy', 'false');
    if (this.#result) return this.draw();
    element('empty').hidden = false;
    element('empty').textContent = word('fleet.unknown');
  }

  // === drawing ===

  /** Reuses the elements of rows, so that a refresh keeps the focus and the text selection. */
  #drawRows() {
    const body = element('rows');
    const before = this.#rows;
    this.#rows = new Map();
    for (const row of this.#result.rows) {
      const kept = before.get(row.carId) ?? { element: createRow(row.carId) };
      kept.row = row;
      fillRow(kept.element, row, this.#actions.isPending(row.carId));
      if (this.#highlighted.delete(row.carId)) kept.element.classList.add('new');
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
    empty.textContent = word(this.#query.carStatus ? 'fleet.none' : 'fleet.empty');
  }

  #drawFigures() {
    const { total, available } = this.#result;
    const reserved = Math.max(0, total - available);
    const share = total ? reserved / total : 0;
    element('figure-total').textContent = formatNumber(total);
    element('figure-available').textContent = formatNumber(available);
    element('figure-reserved').textContent = formatNumber(reserved);
    element('figure-share').textContent = total ? formatShare(share) : '–';
    element('figure-bar').style.width = `${share * 100}%`;
  }

  #drawPager() {
    const { number, size, totalElements, totalPages } = this.#result.page;
    const from = number * size + 1;
    const to = from + this.#result.rows.length - 1;
    const [fromText, toText, total] = [from, to, totalElements].map(formatNumber);
    setText(element('range'), totalElements ? word('range', { from: fromText, to: toText, total }) : word('range.none'));
    setText(element('page-number'), word('page', { page: formatNumber(number + 1), pages: formatNumber(Math.max(1, totalPages)) }));
    for (const button of document.querySelectorAll('[data-page]')) {
      const target = this.#pageFor(button.dataset.page);
      button.ariaDisabled = String(target === number || target < 0 || target >= totalPages);
    }
  }

  #drawColumns() {
    const [column, direction] = this.#query.sort.split(',');
    for (const head of element('columns').querySelectorAll('[data-column]')) {
      const sorted = head.dataset.column === column;
      head.ariaSort = sorted ? (direction === 'asc' ? 'ascending' : 'descending') : 'none';
      head.querySelector('.column-name').textContent = word(head.dataset.column);
    }
    for (const option of element('sort').options) {
      const [name, order] = option.value.split(',');
      option.textContent = word(`sort.${order}`, { column: word(name) });
    }
    element('sort').value = this.#query.sort;
  }

  // === query ===

  #change(change) {
    Object.assign(this.#query, { page: 0 }, change);
    history.replaceState(null, '', urlFor(this.#query));
    element('rows').setAttribute('aria-busy', 'true');
    this.#drawColumns();
    this.#reload();
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
        const direction = this.#query.sort === `${column},asc` ? 'desc' : 'asc';
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
    const { carStatus, size } = this.#query;
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
        if (button.ariaDisabled !== 'true' && this.#result) this.#change({ page: this.#pageFor(button.dataset.page) });
      });
    }
  }

  #pageFor(name) {
    const { number, totalPages } = this.#result.page;
    return { first: 0, prev: number - 1, next: number + 1, last: Math.max(0, totalPages - 1) }[name];
  }

  #click(event) {
    const button = event.target.closest('button[data-action]');
    if (!button || button.ariaDisabled === 'true') return;
    const kept = this.#rows.get(Number(button.closest('tr').dataset.carId));
    if (kept) this.#actions.run(button.dataset.action, kept.row);
  }
}

function view(query, signal) {
  const given = Object.entries(query).filter(([, value]) => value !== '');
  return call('GET', `/carviews?${new URLSearchParams(given)}`, { signal });
}

/** The query in the URL. Invalid parts are replaced by defaults; the default order is the newest car first. */
function queryFromUrl() {
  const parameters = new URLSearchParams(location.search);
  const known = (name, choices, otherwise) => choices.find((choice) => String(choice) === parameters.get(name)) ?? otherwise;
  const sorts = COLUMNS.flatMap((column) => [`${column},asc`, `${column},desc`]);
  const page = Number(parameters.get('page'));
  return {
    page: Number.isSafeInteger(page) && page > 0 ? page : 0,
    size: known('size', SIZES, 10),
    sort: known('sort', sorts, 'carId,desc'),
    carStatus: known('carStatus', STATUSES, ''),
  };
}

function urlFor(query) {
  const given = Object.entries(query).filter(([, value]) => value !== '' && value !== 0);
  return `?${new URLSearchParams(given)}`;
}

function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
