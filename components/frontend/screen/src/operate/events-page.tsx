// The live stream of events, with filters. It can be paused to be read; new events are counted meanwhile.

import { useState } from 'preact/hooks';
import { formatTime } from '../format';
import { EVENT_TYPES, type PlatformEvent } from '../live/events';
import { isLive, latestEvents } from '../live/feed';
import { EmptyNote } from '../parts/empty-note';
import { Icon } from '../parts/icon';
import { SearchBox } from '../parts/search-box';
import { change, choiceParameter, linkTo, parameter } from '../route';
import { word, wordFor } from '../words';

const TYPES = ['', ...EVENT_TYPES] as const;
/** Number of events on the screen. */
const SHOWN = 200;

export function EventsPage() {
  const type = choiceParameter('type', TYPES);
  const q = parameter('q');
  const [paused, setPaused] = useState<readonly PlatformEvent[]>();
  const events = paused ?? latestEvents.value;
  const shown = events.filter((event) => (!type || event.type === type) && matches(event, q)).slice(0, SHOWN);
  const waiting = paused ? latestEvents.value.findIndex(({ id }) => id === paused[0]?.id) : 0;
  return (
    <section class="card events" aria-label={word('operate.events')}>
      <div class="toolbar">
        <select aria-label={word('events.filter')} value={type} onChange={(event) => change({ type: event.currentTarget.value }, { replace: true })}>
          {TYPES.map((each) => (
            <option key={each} value={each}>
              {each ? wordFor('event', each) : word('events.filter.all')}
            </option>
          ))}
        </select>
        <SearchBox label={word('events.search')} value={q} search={(text) => change({ q: text }, { replace: true })} />
        <button type="button" class="secondary" aria-pressed={paused !== undefined} onClick={() => setPaused(paused ? undefined : latestEvents.value)}>
          <Icon name={paused ? 'play' : 'pause'} />
          {word(paused ? 'events.resume' : 'events.pause')}
        </button>
        <div class="freshness" data-state={isLive.value ? 'live' : 'failing'}>
          <span class="pulse" role="status">
            {isLive.value ? word('freshness.live') : word('events.not.live')}
          </span>
          {waiting > 0 && <span>{word('events.waiting', { count: waiting })}</span>}
        </div>
      </div>
      {shown.length === 0 ? (
        <EmptyNote title={word('events.none')} text={word('events.none.help')} />
      ) : (
        <div class="scroll" tabIndex={0} role="group" aria-label={word('operate.events')}>
          <table class="plain event-table">
            <thead>
              <tr>
                <th scope="col">{word('events.time')}</th>
                <th scope="col">{word('events.type')}</th>
                <th scope="col">{word('events.subject')}</th>
                <th scope="col">{word('events.details')}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((event) => (
                <Row key={event.id} event={event} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

const Row = ({ event }: { event: PlatformEvent }) => {
  const { rsvId, carId } = event.data;
  return (
    <tr data-event={event.type}>
      <td class="numbers">{formatTime(event.time)}</td>
      <td>
        <span class="pill" data-tone={toneOf(event.type)}>
          {wordFor('event', event.type)}
        </span>
      </td>
      <td>
        {rsvId !== undefined ? (
          <a href={linkTo('operate', { tab: 'reservations', rsv: rsvId })}>{event.subject}</a>
        ) : carId !== undefined ? (
          <a href={linkTo('fleet', { display: 'table', car: carId })}>{event.subject}</a>
        ) : (
          event.subject
        )}
      </td>
      <td>
        <code class="data">{JSON.stringify(event.data)}</code>
        {event.actor && <small> {event.actor}</small>}
      </td>
    </tr>
  );
};

function matches({ data, subject, actor, correlationid }: PlatformEvent, q: string): boolean {
  return !q || [data.carId, data.rsvId, data.payId].some((number) => String(number) === q) || [subject, actor, correlationid].some((text) => text?.includes(q));
}

function toneOf(type: string): string {
  if (/Confirmed|Approved|Registered/.test(type)) return 'good';
  if (/Rejected|Deleted/.test(type)) return 'bad';
  return /Cancel/.test(type) ? 'warn' : 'accent';
}
