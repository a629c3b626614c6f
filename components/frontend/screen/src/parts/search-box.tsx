// A search box. Its text is normalised (NFC), so that Korean from every keyboard is found.

import { useEffect, useRef, useState } from 'preact/hooks';
import { word } from '../words';
import { Icon } from './icon';

/** The time after the last key until the search begins, in milliseconds. */
const PAUSE = 200;

interface Properties {
  label: string;
  value: string;
  search: (text: string) => void;
}

export function SearchBox({ label, value, search }: Properties) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const sent = useRef(value);
  useEffect(() => {
    // Back and links change the text; the text that is being typed stays.
    if (value !== sent.current) setText(value);
    sent.current = value;
  }, [value]);
  const send = (typed: string) => {
    clearTimeout(timer.current);
    sent.current = typed.normalize('NFC').trim();
    search(sent.current);
  };
  const type = (typed: string) => {
    setText(typed);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => send(typed), PAUSE);
  };
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        send(text);
      }}
    >
      <Icon name="search" />
      <input type="search" aria-label={label} placeholder={label} value={text} onInput={(event) => type(event.currentTarget.value)} enterkeyhint="search" autocomplete="off" />
      {text && (
        <button
          type="button"
          class="quiet icon-button"
          aria-label={word('search.clear')}
          onClick={() => {
            setText('');
            send('');
          }}
        >
          <Icon name="close" />
        </button>
      )}
    </form>
  );
}
