// One row of the list: the cells of a car, and its buttons.

import { formatAmount, word, wordFor } from './words.js';

/** A row without content. On narrow screens every cell is a line of a card, with the label of its data-column. */
export function createRow(carId) {
  const row = document.createElement('tr');
  row.role = 'row';
  row.dataset.carId = carId;
  for (const column of ['carId', 'carName', 'carType', 'amount', 'carStatus', 'rsvId', 'payId']) {
    const head = column === 'carName';
    const cell = document.createElement(head ? 'th' : 'td');
    cell.role = head ? 'rowheader' : 'cell';
    if (head) cell.scope = 'row';
    cell.dataset.column = column;
    row.append(cell);
  }
  row.append(createActions());
  return row;
}

/** Fills a row with its car. `pending`: a command for the car is in progress, and the list does not show its effect yet. */
export function fillRow(element, row, pending) {
  for (const cell of element.querySelectorAll('[data-column]')) {
    const label = word(cell.dataset.column);
    if (cell.dataset.label !== label) cell.dataset.label = label;
    fill(cell, row);
  }
  const action = pending ? 'waiting' : actionFor(row);
  const [main, edit, remove] = element.querySelectorAll('button');
  element.dataset.action = action;
  name(main, action, row);
  main.dataset.action = action;
  main.ariaDisabled = String(action === 'waiting');
  name(edit, 'edit', row);
  name(remove, 'delete', row);
  for (const button of [edit, remove]) button.ariaDisabled = String(pending);
}

/**
 * The command of the main button. The status of the reservation decides before the status of the car: a reservation is
 * confirmed when it is paid, even while the car context is unavailable and the status of the car is outdated.
 */
function actionFor({ carStatus, rsvStatus }) {
  if (rsvStatus === 'reserved') return 'cancel';
  if (rsvStatus === 'reqReserve' || rsvStatus === 'reqCancel') return 'waiting';
  return carStatus === 'available' ? 'reserve' : 'waiting';
}

function fill(cell, row) {
  const value = row[cell.dataset.column] ?? '';
  switch (cell.dataset.column) {
    case 'amount':
      return write(cell, [['amount', value === '' ? '–' : formatAmount(value)]]);
    case 'carStatus':
      return write(cell, [pill('carStatus', value)]);
    case 'rsvId':
      return write(cell, value === '' ? [['none', '–']] : [['number', value], pill('rsvStatus', row.rsvStatus)]);
    case 'payId':
      return write(cell, value === '' ? [['none', '–']] : [['number', value], pill('payStatus', row.payStatus)]);
    default:
      return write(cell, [value === '' ? ['none', '–'] : [cell.dataset.column, value]]);
  }
}

const pill = (kind, status) => (status ? [`pill ${kind}`, wordFor(kind, status), status] : ['none', '–']);

/** Replaces the content of a cell only if it has changed, so that a refresh keeps the text selection. */
function write(cell, parts) {
  const content = JSON.stringify(parts);
  if (cell.dataset.content === content) return;
  cell.dataset.content = content;
  cell.replaceChildren(
    ...parts.map(([className, text, status]) => {
      const span = document.createElement('span');
      span.className = className;
      span.textContent = text;
      if (status) span.dataset.status = status;
      return span;
    }),
  );
}

function createActions() {
  const cell = document.createElement('td');
  cell.role = 'cell';
  cell.className = 'actions';
  for (const action of ['reserve', 'edit', 'delete']) {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset.action = action;
    button.className = action === 'reserve' ? 'main' : 'quiet';
    cell.append(button);
  }
  return cell;
}

/** Labels a button with its command. The label for screen readers also names the car. */
function name(button, action, { carId, carName }) {
  const text = word(action);
  if (button.textContent !== text) button.textContent = text;
  button.ariaLabel = word('action.of', { action: text, carId, carName: carName ?? '' });
}
