// The search for reservations, and the saga of one.

import { useEffect, useState } from 'preact/hooks';
import type { Loaded } from '../api/client';
import { Problem } from '../api/problem';
import { combine, listReservations, readPayment, readReservation, type Reservation } from '../api/resources';
import { latestEvents } from '../live/feed';
import { useLive } from '../live/use-live';
import { EmptyNote } from '../parts/empty-note';
import { FreshnessNote } from '../parts/freshness';
import { ProblemNotice } from '../parts/problem-notice';
import { StatusPill } from '../parts/status-pill';
import { change, choiceParameter, linkWith, numberParameter, parameter } from '../route';
import { word, type Word } from '../words';
import { Saga } from './saga';

const KINDS = ['rsv', 'car', 'pay', 'request'] as const;
type Kind = (typeof KINDS)[number];
const LATEST = 20;

export function TracePage() {
  const kind = choiceParameter('kind', KINDS);
  const number = parameter('number');
  const rsvId = numberParameter('rsv', undefined);
  const found = useLive(`trace ${kind} ${number}`, (signal) => find(kind, number, signal), { concerns: ({ data }) => data.rsvId !== undefined });
  return (
    <div class="trace">
      <section class="card trace-list" aria-labelledby="trace-title">
        <Search kind={kind} number={number} />
        <div class="card-head">
          <h2 id="trace-title">{word(number ? 'trace.found' : 'trace.latest')}</h2>
          <FreshnessNote freshness={found.freshness} />
        </div>
        {found.freshness.problem && <ProblemNotice problem={found.freshness.problem} retry={found.reload} />}
        {found.data?.length === 0 && <EmptyNote title={word('trace.none')} />}
        <ul class="link-rows">
          {found.data?.map((reservation) => (
            <li key={reservation.rsvId}>
              <a href={linkWith({ rsv: reservation.rsvId })} aria-current={reservation.rsvId === rsvId ? 'true' : undefined}>
                <span>
                  {word('rsv.title', { rsvId: reservation.rsvId })} <small>{word('saga.car', { carId: reservation.carId })}</small>
                </span>
                <StatusPill kind="rsvStatus" status={reservation.status} />
              </a>
            </li>
          ))}
        </ul>
      </section>
      {rsvId === undefined ? (
        <section class="card">
          <EmptyNote title={word('trace.select')} />
        </section>
      ) : (
        <Saga key={rsvId} rsvId={rsvId} />
      )}
    </div>
  );
}

function Search({ kind, number }: { kind: Kind; number: string }) {
  const [text, setText] = useState(number);
  useEffect(() => setText(number), [number]);
  return (
    <form
      class="trace-search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = kind === 'request' ? text.trim() : text.replace(/\D/g, '');
        change({ number: wanted, rsv: kind === 'rsv' ? wanted : undefined });
      }}
    >
      <select aria-label={word('trace.kind')} value={kind} onChange={(event) => change({ kind: event.currentTarget.value }, { replace: true })}>
        {KINDS.map((each) => (
          <option key={each} value={each}>
            {word(`trace.kind.${each}` as Word)}
          </option>
        ))}
      </select>
      <input type="search" inputMode={kind === 'request' ? 'text' : 'numeric'} aria-label={word('trace.search')} placeholder={word('trace.number')} value={text} onInput={(event) => setText(event.currentTarget.value)} />
      <button type="submit" class="secondary">
        {word('trace.find')}
      </button>
    </form>
  );
}

/** The reservations that a number leads to; without a number, the latest ones. */
async function find(kind: Kind, number: string, signal: AbortSignal): Promise<Loaded<Reservation[]>> {
  if (!number || kind === 'car') {
    const loaded = await listReservations({ carId: number, size: LATEST, sort: 'rsvId,desc' }, signal);
    return { ...loaded, body: loaded.body.rows };
  }
  if (kind === 'request') {
    const found = await Promise.all(ofRequest(number).map((rsvId) => readReservation(rsvId, signal)));
    return found.length ? combine(found.map(({ body }) => body), found) : NONE();
  }
  try {
    const rsvId = kind === 'rsv' ? Number(number) : (await readPayment(Number(number), signal)).body.rsvId;
    const loaded = await readReservation(rsvId, signal);
    return { ...loaded, body: [loaded.body] };
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return NONE();
    throw error;
  }
}

const NONE = (): Loaded<Reservation[]> => ({ body: [], etag: null, asOf: Date.now(), stale: false });

/** The reservations of a request or a trace, among the events that the page has received. */
function ofRequest(id: string): number[] {
  const events = latestEvents.peek().filter(({ correlationid, causationid, traceparent }) => [correlationid, causationid].includes(id) || traceparent?.includes(id));
  return [...new Set(events.flatMap(({ data }) => data.rsvId ?? []))].slice(0, LATEST);
}
