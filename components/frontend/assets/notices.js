// What the screen tells its reader besides data: a problem next to the form it belongs to, a passing word at the edge,
// and the pulse of each panel.

import { word } from './words.js';

const TOAST_TIME = 6_000;
let toastTimer;

/** A passing word, also read aloud. */
export function toast(text) {
  const element = document.getElementById('toast');
  element.textContent = text;
  element.dataset.shown = '';
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => delete element.dataset.shown, TOAST_TIME);
}

/** Shows why something failed: what we call it, what the server says, when to try again. */
export function showProblem(notice, headline, problem) {
  const lines = [problem.detail, problem.retryAfter ? word('retry', { seconds: problem.retryAfter }) : ''];
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

/** Shows a problem next to its form, marks the fields it names and moves to the first of them. */
export function showFormProblem(form, notice, headline, problem) {
  showProblem(notice, headline, problem);
  for (const { field, message } of problem.errors ?? []) markField(form, field, message);
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

/** The small light in a panel's head. Touched only on a change, because it is read aloud. */
export function pulse(element) {
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
