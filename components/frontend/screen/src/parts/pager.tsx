// The pages of a list: neighbours, ends, and a jump to any page.

import { useEffect, useState } from 'preact/hooks';
import type { PageInfo } from '../api/resources';
import { formatNumber } from '../format';
import { word } from '../words';

export function Pager({ page, open }: { page: PageInfo; open: (page: number) => void }) {
  const last = Math.max(0, page.totalPages - 1);
  const from = page.totalElements ? page.number * page.size + 1 : 0;
  const to = Math.min(page.totalElements, (page.number + 1) * page.size);
  return (
    <nav class="pager" aria-label={word('pager')}>
      <p class="range">{page.totalElements ? word('range', { from: formatNumber(from), to: formatNumber(to), total: formatNumber(page.totalElements) }) : word('range.none')}</p>
      <div class="pages">
        <Step label={word('pager.first')} text="«" target={0} page={page} open={open} />
        <Step label={word('pager.prev')} text="‹" target={page.number - 1} page={page} open={open} />
        <Jump number={page.number} last={last} open={open} />
        <Step label={word('pager.next')} text="›" target={page.number + 1} page={page} open={open} />
        <Step label={word('pager.last')} text="»" target={last} page={page} open={open} />
      </div>
    </nav>
  );
}

interface StepProperties {
  label: string;
  text: string;
  target: number;
  page: PageInfo;
  open: (page: number) => void;
}

/** A button that stays focusable at the end of the list. */
function Step({ label, text, target, page, open }: StepProperties) {
  const isUseless = target === page.number || target < 0 || target >= page.totalPages;
  return (
    <button type="button" class="quiet step" aria-label={label} aria-disabled={isUseless} onClick={() => !isUseless && open(target)}>
      {text}
    </button>
  );
}

function Jump({ number, last, open }: { number: number; last: number; open: (page: number) => void }) {
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
