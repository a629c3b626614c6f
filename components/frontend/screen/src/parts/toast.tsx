// A short text at the edge of the screen, which screen readers announce.

import { signal } from '@preact/signals';

const TIME = 6_000;
const shown = signal('');
let timer: ReturnType<typeof setTimeout> | undefined;

export function toast(text: string): void {
  shown.value = text;
  clearTimeout(timer);
  timer = setTimeout(() => (shown.value = ''), TIME);
}

export const Toast = () => (
  <p class="toast" role="status" data-shown={shown.value !== ''}>
    {shown.value}
  </p>
);
