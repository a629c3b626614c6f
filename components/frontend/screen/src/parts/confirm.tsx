// A question before a command that cannot be undone. Closing it in any other way than with its second button means no.

import type { ComponentChildren } from 'preact';
import { word } from '../words';
import { Dialog } from './dialog';

interface Properties {
  title: string;
  /** The label of the button that executes the command: what it does. */
  yes: string;
  /** The label of the button that executes nothing. */
  no?: string;
  confirmed: () => void;
  close: () => void;
  children: ComponentChildren;
}

export const Confirm = ({ title, yes, no, confirmed, close, children }: Properties) => (
  <Dialog title={title} role="alertdialog" close={close}>
    {children}
    <div class="buttons">
      <button type="button" class="secondary" onClick={close} autofocus>
        {no ?? word('confirm.no')}
      </button>
      <button
        type="button"
        class="danger"
        onClick={() => {
          close();
          confirmed();
        }}
      >
        {yes}
      </button>
    </div>
  </Dialog>
);
