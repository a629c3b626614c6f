// A modal dialog. The browser keeps the focus inside, closes it with Escape, and returns the focus afterwards.

import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

interface Properties {
  title: string;
  close: () => void;
  role?: 'dialog' | 'alertdialog';
  wide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, close, role = 'dialog', wide = false, children }: Properties) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog ref={dialog} role={role} class={wide ? 'wide' : ''} aria-labelledby={id} onClose={close}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}
