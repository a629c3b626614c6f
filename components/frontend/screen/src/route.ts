// The state of the screen in the query of the URL, so that a reload, a link and Back show the same.

import { computed, signal } from '@preact/signals';

export const VIEWS = ['book', 'fleet', 'operate'] as const;
export type View = (typeof VIEWS)[number];
type Parameters = Record<string, string | number | undefined>;

const query = signal(new URLSearchParams(location.search));
addEventListener('popstate', () => {
  isBack = true;
  query.value = new URLSearchParams(location.search);
});

/** Whether the browser went back or forward to what is shown, and restores its scroll position. */
export let isBack = false;

/** The view in the URL; the fleet without one. */
export const view = computed<View>(() => VIEWS.find((each) => each === query.value.get('view')) ?? 'fleet');

/** A parameter of the URL; empty if it is absent. */
export const parameter = (name: string): string => query.value.get(name) ?? '';

/** A parameter that is a whole number of at least `min`; `otherwise` if it is not. */
export function numberParameter<T>(name: string, otherwise: T, min = 1): number | T {
  const value = Number(parameter(name) || NaN);
  return Number.isSafeInteger(value) && value >= min ? value : otherwise;
}

/** A parameter that is one of these values; the first of them if it is not. */
export function choiceParameter<const T extends string>(name: string, choices: readonly [T, ...T[]]): T {
  return choices.find((choice) => choice === parameter(name)) ?? choices[0];
}

/** The address of a view with these parameters and no others. */
export function linkTo(target: View, parameters: Parameters = {}): string {
  return address({ view: target, ...parameters });
}

/** The address of the current view with these parameters changed. */
export function linkWith(parameters: Parameters): string {
  return address({ ...Object.fromEntries(query.value), ...parameters });
}

/** Opens an address of the screen. `replace` adds no entry to the history, for a text that is being typed. */
export function open(target: string, { replace = false } = {}): void {
  if (target === location.search) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', target);
  isBack = false;
  query.value = new URLSearchParams(location.search);
}

/** Changes parameters of the current view. */
export const change = (parameters: Parameters, options?: { replace?: boolean }): void => open(linkWith(parameters), options);

/** Notes in the current entry of the history what the user has reached by scrolling. It is no navigation. */
export function settle(parameters: Parameters, state: unknown): void {
  history.replaceState(state, '', linkWith(parameters));
  query.value = new URLSearchParams(location.search);
}

function address(parameters: Parameters): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '');
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

/** Opens a link of the screen without loading the page again. A click with a modifier key is left to the browser. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.('a[href^="?"]');
  if (!link) return;
  event.preventDefault();
  open(link.getAttribute('href') ?? '?');
}
