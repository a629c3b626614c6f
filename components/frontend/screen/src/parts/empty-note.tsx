// What is said where a list would be, and what can be done.

import type { ComponentChildren } from 'preact';

export const EmptyNote = ({ title, text, children }: { title: string; text?: string; children?: ComponentChildren }) => (
  <div class="empty">
    <p class="empty-title">{title}</p>
    {text && <p>{text}</p>}
    {children}
  </div>
);
