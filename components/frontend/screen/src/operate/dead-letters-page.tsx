// Events that could not be delivered, with their cause. They are delivered again, or discarded, one by one or many at once.

import { useState } from 'preact/hooks';
import { discard, listDeadLetters, redrive, type DeadLetter } from '../api/operations';
import { Problem } from '../api/problem';
import { formatNumber, formatTime } from '../format';
import { useLive } from '../live/use-live';
import { Confirm } from '../parts/confirm';
import { EmptyNote } from '../parts/empty-note';
import { FreshnessNote } from '../parts/freshness';
import { toast } from '../parts/toast';
import { useCommand } from '../parts/use-command';
import { ProblemNotice } from '../parts/problem-notice';
import { change, parameter } from '../route';
import { word } from '../words';
import { NeedsNote } from './needs-note';

export function DeadLettersPage() {
  const after = parameter('after');
  const letters = useLive(`letters ${after}`, (signal) => listDeadLetters(after, signal), { polled: true });
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [isAsking, setAsking] = useState(false);
  const command = useCommand();
  const rows = letters.data?.letters ?? [];
  const chosen = rows.filter(({ id }) => selected.has(id));
  const isAll = rows.length > 0 && chosen.length === rows.length;
  const handle = (work: (id: string) => Promise<unknown>) =>
    command.run(async () => {
      const failed = await each(chosen, work);
      setSelected(new Set());
      letters.reload();
      const count = formatNumber(chosen.length - failed);
      toast(failed ? word('letters.partly', { count, failed: formatNumber(failed) }) : word('letters.done', { count }));
    });
  const toggle = (id: string) => {
    const changed = new Set(selected);
    if (!changed.delete(id)) changed.add(id);
    setSelected(changed);
  };
  const next = letters.data?.next ? new URLSearchParams(letters.data.next.split('?')[1]).get('after') : null;
  return (
    <section class="card letters" aria-labelledby="letters-title">
      <div class="card-head">
        <h2 id="letters-title">{word('operate.dead-letters')}</h2>
        <FreshnessNote freshness={letters.freshness} />
      </div>
      <NeedsNote problem={letters.freshness.problem} retry={letters.reload} />
      {command.problem && <ProblemNotice problem={command.problem} headline={word('operate.failed')} dismiss={command.clear} />}
      {letters.data && rows.length === 0 && <EmptyNote title={word('letters.none')} text={word('letters.none.help')} />}
      {rows.length > 0 && (
        <>
          <div class="toolbar">
            <label class="check">
              <input type="checkbox" checked={isAll} onChange={() => setSelected(isAll ? new Set() : new Set(rows.map(({ id }) => id)))} />
              <span>{word('letters.all')}</span>
            </label>
            <span class="soft" role="status">
              {word('letters.selected', { count: chosen.length })}
            </span>
            <button type="button" class="primary" aria-disabled={!chosen.length || command.isRunning} onClick={() => chosen.length && handle(redrive)}>
              {word('letters.redrive')}
            </button>
            <button type="button" class="secondary" aria-disabled={!chosen.length || command.isRunning} onClick={() => chosen.length && setAsking(true)}>
              {word('letters.discard')}
            </button>
          </div>
          <ul class="letter-rows">
            {rows.map((letter) => (
              <Row key={letter.id} letter={letter} isSelected={selected.has(letter.id)} toggle={() => toggle(letter.id)} />
            ))}
          </ul>
        </>
      )}
      {next && (
        <button type="button" class="secondary more" onClick={() => change({ after: next })}>
          {word('letters.more')}
        </button>
      )}
      {isAsking && (
        <Confirm title={word('letters.discard.ask')} yes={word('letters.discard.yes')} no={word('letters.discard.no')} confirmed={() => handle(discard)} close={() => setAsking(false)}>
          <p>{word('letters.discard.text', { count: chosen.length })}</p>
        </Confirm>
      )}
    </section>
  );
}

function Row({ letter, isSelected, toggle }: { letter: DeadLetter; isSelected: boolean; toggle: () => void }) {
  const event = eventOf(letter);
  return (
    <li data-letter={letter.id}>
      <label class="check">
        <input type="checkbox" checked={isSelected} onChange={toggle} aria-label={word('letters.one', { id: letter.id })} />
      </label>
      <div>
        <p>
          <strong>{event?.type ?? letter.stream}</strong> <span class="soft">{event?.subject}</span> <span class="pill">{word('letters.to', { group: letter.group })}</span>
        </p>
        <p class="cause">{letter.error}</p>
        <details>
          <summary>{word('letters.event')}</summary>
          <pre tabIndex={0}>{event ? JSON.stringify(event, null, 2) : letter.event}</pre>
        </details>
      </div>
      <p class="soft small">
        <time dateTime={new Date(letter.parked_at).toISOString()}>{formatTime(letter.parked_at)}</time>
        <span>{word('letters.attempts', { attempts: letter.attempts })}</span>
      </p>
    </li>
  );
}

/** Handles the letters one after the other, and returns how many failed. One that is gone was handled by another operator. */
async function each(letters: DeadLetter[], work: (id: string) => Promise<unknown>): Promise<number> {
  let failed = 0;
  for (const { id } of letters) {
    try {
      await work(id);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 401 || error.status === 403) throw error;
      if (error.status !== 404) failed += 1;
    }
  }
  return failed;
}

function eventOf({ event }: DeadLetter): { type?: string; subject?: string } | undefined {
  try {
    return JSON.parse(event) as { type?: string; subject?: string };
  } catch {
    return undefined;
  }
}
