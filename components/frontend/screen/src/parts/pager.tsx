// The place in a list of which a part is seen: its rows, its neighbours, its ends, and a jump to any page.

import { useEffect, useState } from 'preact/hooks';
import { formatNumber } from '../format';
import { word } from '../words';

interface PagerProperties {
  /** The first row that is seen, and the one after the last; rows count from 0. */
  seen: { first: number; end: number };
  /** The number of all rows. */
  total: number;
  /** The number of rows of a page. */
  size: number;
  open: (page: number) => void;
}

export function Pager({ seen, total, size, open }: PagerProperties) {
  const last = Math.max(0, Math.ceil(total / size) - 1);
  const number = Math.floor(seen.first / size);
  const [from, to] = [seen.first + 1, Math.min(total, seen.end)];
  const step = { number, last, open };
  return (
    <nav class="pager" aria-label={word('pager')}>
      <p class="range">{total ? word('range', { from: formatNumber(from), to: formatNumber(to), total: formatNumber(total) }) : word('range.none')}</p>
      <div class="pages">
        <Step label={word('pager.first')} text="«" target={0} {...step} />
        <Step label={word('pager.prev')} text="‹" target={number - 1} {...step} />
        <Jump {...step} />
        <Step label={word('pager.next')} text="›" target={number + 1} {...step} />
        <Step label={word('pager.last')} text="»" target={last} {...step} />
      </div>
    </nav>
  );
}

interface PageProperties {
  /** The page of the first row that is seen, and the last page. */
  number: number;
  last: number;
  open: (page: number) => void;
}

interface StepProperties extends PageProperties {
  label: string;
  text: string;
  target: number;
}

/** A button that stays focusable at the end of the list. */
function Step({ label, text, target, number, last, open }: StepProperties) {
  const isUseless = target === number || target < 0 || target > last;
  return (
    <button type="button" class="quiet step" aria-label={label} aria-disabled={isUseless} onClick={() => !isUseless && open(target)}>
      {text}
    </button>
  );
}

function Jump({ number, last, open }: PageProperties) {
  const [text, setText] = useState('');
  useEffect(() => setText(String(number + 1)), [number]);
  const jump = () => {
    const wanted = Number(text);
    if (Number.isInteger(wanted) && wanted >= 1) open(Math.min(wanted - 1, last));
    else setText(String(number + 1));
  };
  return (
    <form
      class="jump"
      onSubmit={(event) => {
        event.preventDefault();
        jump();
      }}
    >
      <input inputMode="numeric" aria-label={word('pager.jump')} value={text} onInput={(event) => setText(event.currentTarget.value)} onBlur={jump} size={Math.max(3, text.length)} />
      <span>/ {formatNumber(last + 1)}</span>
    </form>
  );
}
