// The links between components, with the state of their breakers, and the commands of an operator.

import { useRef, useState } from 'preact/hooks';
import { forceOpen, listBreakers, resetBreaker, type Breaker } from '../api/operations';
import { formatNumber } from '../format';
import { useLive } from '../live/use-live';
import { Confirm } from '../parts/confirm';
import { FreshnessNote } from '../parts/freshness';
import { ProblemNotice } from '../parts/problem-notice';
import { Sparkline } from '../parts/sparkline';
import { StatusPill } from '../parts/status-pill';
import { useCommand } from '../parts/use-command';
import { word } from '../words';
import { NeedsNote } from './needs-note';
import { useSamples } from './use-samples';

export function LinkTable() {
  const breakers = useLive('breakers', (signal) => listBreakers(signal), { polled: true });
  const rates = useSamples(breakers.data, useRates(breakers.data?.breakers ?? []));
  const [cut, setCut] = useState<string>();
  const command = useCommand();
  const run = (work: (link: string) => Promise<unknown>, link: string) =>
    command.run(async () => {
      await work(link);
      breakers.reload();
    });
  const rows = sorted(breakers.data?.breakers ?? []);
  return (
    <section class="card links" aria-labelledby="links-title">
      <div class="card-head">
        <h2 id="links-title">{word('links.title')}</h2>
        <FreshnessNote freshness={breakers.freshness} />
      </div>
      <NeedsNote problem={breakers.freshness.problem} retry={breakers.reload} />
      {command.problem && <ProblemNotice problem={command.problem} headline={word('operate.failed')} dismiss={command.clear} />}
      {breakers.data && rows.length === 0 && <p class="soft">{word('links.none')}</p>}
      {rows.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-labelledby="links-title">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">{word('links.link')}</th>
                <th scope="col">{word('links.state')}</th>
                <th scope="col">{word('links.window')}</th>
                <th scope="col">{word('links.rate')}</th>
                <th scope="col">{word('links.totals')}</th>
                <td />
              </tr>
            </thead>
            <tbody>
              {rows.map((breaker) => (
                <tr key={breaker.link} data-link={breaker.link}>
                  <th scope="row">{breaker.link.replace('->', '→')}</th>
                  <td>
                    <StatusPill kind="breaker" status={breaker.state} />
                  </td>
                  <td class="numbers">
                    {word('links.window.of', breaker.window)} {breaker.window.slow > 0 && <small>{word('links.window.slow', breaker.window)}</small>}
                  </td>
                  <td class="rate">
                    <Sparkline values={rates[breaker.link] ?? []} />
                    <span>{formatNumber(Math.round((rates[breaker.link]?.at(-1) ?? 0) * 10) / 10)}</span>
                  </td>
                  <td class="numbers">{[breaker.totals.succeeded + breaker.totals.slow, breaker.totals.failed, breaker.totals.refused].map(formatNumber).join(' / ')}</td>
                  <td class="row-commands">
                    {breaker.state === 'closed' ? (
                      <button type="button" class="quiet" aria-label={word('links.open.of', { link: breaker.link })} onClick={() => setCut(breaker.link)}>
                        {word('links.open')}
                      </button>
                    ) : (
                      <button type="button" class="secondary" aria-label={word('links.reset.of', { link: breaker.link })} onClick={() => run(resetBreaker, breaker.link)}>
                        {word('links.reset')}
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {cut !== undefined && (
        <Confirm title={word('links.open.ask')} yes={word('links.open.yes')} no={word('links.open.no')} confirmed={() => run(forceOpen, cut)} close={() => setCut(undefined)}>
          <p>{word('links.open.text', { link: cut })}</p>
        </Confirm>
      )}
    </section>
  );
}

/** What needs an operator comes first. */
function sorted(breakers: Breaker[]): Breaker[] {
  return breakers.toSorted((one, other) => Number(one.state === 'closed') - Number(other.state === 'closed') || one.link.localeCompare(other.link));
}

const callsOf = ({ totals }: Breaker) => Object.values(totals).reduce((sum, each) => sum + each, 0);

/** The calls of each link per second since the response before. */
function useRates(breakers: Breaker[]): Record<string, number> {
  const before = useRef<{ at: number; breakers: Breaker[]; calls: Record<string, number>; rates: Record<string, number> }>({ at: 0, breakers: [], calls: {}, rates: {} });
  if (breakers !== before.current.breakers && breakers.length) {
    const now = Date.now();
    const { at, calls } = before.current;
    const rates = Object.fromEntries(breakers.map((each) => [each.link, at ? Math.max(0, ((callsOf(each) - (calls[each.link] ?? 0)) * 1000) / Math.max(1, now - at)) : 0]));
    before.current = { at: now, breakers, calls: Object.fromEntries(breakers.map((each) => [each.link, callsOf(each)])), rates };
  }
  return before.current.rates;
}
