// Notices: a problem next to its form, a toast at the edge of the screen, and the status indicator of each panel.

import { word } from './words.js';

const TOAST_TIME = 6_000;
let toastTimer;

/** Shows a text for six seconds. Screen readers announce it. */
export function toast(text) {
  const element = document.getElementById('toast');
  element.textContent = text;
  element.dataset.shown = '';
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => delete element.dataset.shown, TOAST_TIME);
}

/**
 * Shows the reason of a failure: our name for it and the time of a retry. The detail from the server is for programmers,
 * and shown only if there is no name.
 */
export function showProblem(notice, headline, problem) {
  const detail = word(`problem.${problem.slug}`) ? '' : problem.detail;
  const lines = [detail, problem.retryAfter ? word('retry', { seconds: problem.retryAfter }) : ''];
  const close = document.createElement('button');
  close.type = 'button';
  close.className = 'quiet';
  close.textContent = '✕';
  close.setAttribute('aria-label', word('close'));
  close.addEventListener('click', () => hideNotice(notice));
  const text = document.createElement('div');
  text.append(line('strong', `${headline}: ${name(problem)}`), ...lines.filter(Boolean).map((each) => line('p', each)));
  notice.replaceChildren(text, close);
  notice.dataset.slug = problem.slug ?? '';
  notice.hidden = false;
}

export function hideNotice(notice) {
  notice.hidden = true;
  notice.replaceChildren();
}

/** Shows a problem next to its form, marks the fields that it names and focuses the first of them. */
export function showFormProblem(form, notice, headline, problem) {
  showProblem(notice, headline, problem);
  for (const { field, message } of problem.errors ?? []) markField(form, field, word(`${field}.wrong`) ?? message);
  form.querySelector('[aria-invalid]')?.focus();
}

export function markField(form, field, message) {
  const input = form.elements.namedItem(field);
  if (!(input instanceof HTMLInputElement)) return;
  input.setAttribute('aria-invalid', 'true');
  document.getElementById(`${input.id}-error`).textContent = message;
}

export function clearForm(form, notice) {
  hideNotice(notice);
  for (const input of form.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
  for (const error of form.querySelectorAll('.field-error')) error.textContent = '';
}

/** The status indicator in the head of a panel. It is updated on changes only, because screen readers announce it. */
export function statusIndicator(element) {
  return (state, seconds) => {
    const text = word(`pulse.${state}`, { seconds });
    if (element.dataset.state === state && state === 'live' && element.textContent === text) return;
    element.dataset.state = state;
    element.textContent = text;
  };
}

const name = (problem) => word(`problem.${problem.slug}`) ?? (problem.title || problem.message);

function line(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
