// The saga of one reservation as a timeline: each step with its time, its cause, and what followed from it.

import { combine, listMessages, readReservation, readTimeline, type Reservation, type Timeline } from '../api/resources';
import { formatDuration, formatNumber, formatTime } from '../format';
import { latestEvents } from '../live/feed';
import { useLive } from '../live/use-live';
import { FreshnessNote } from '../parts/freshness';
import { MessageList } from '../parts/message-list';
import { ProblemNotice } from '../parts/problem-notice';
import { StatusPill } from '../parts/status-pill';
import { linkTo, linkWith } from '../route';
import { isWord, word, wordFor, type Word } from '../words';

type Step = Timeline['steps'][number] & { actor?: string; traceparent?: string };

export function Saga({ rsvId }: { rsvId: number }) {
  const saga = useLive(
    `saga ${rsvId}`,
    async (signal) => {
      const [timeline, reservation, messages] = await Promise.all([readTimeline(rsvId, signal), readReservation(rsvId, signal), listMessages({ size: 100, sort: 'msgId,desc' }, signal)]);
      const sent = messages.body.rows.filter((message) => message.rsvId === rsvId);
      return combine({ steps: timeline.body.steps as Step[], reservation: reservation.body, sent }, [timeline, reservation, messages]);
    },
    { concerns: ({ data }) => data.rsvId === rsvId, followsLater: true },
  );
  const { data, freshness } = saga;
  return (
    <section class="card saga" aria-labelledby="saga-title">
      <div class="card-head">
        <h2 id="saga-title" data-heading tabIndex={-1}>
          {word('saga.title', { rsvId })}
        </h2>
        <FreshnessNote freshness={freshness} />
      </div>
      {freshness.problem && <ProblemNotice problem={freshness.problem} retry={saga.reload} />}
      {data && (
        <>
          <Facts reservation={data.reservation} steps={data.steps} />
          <ol class="timeline">
            {data.steps.map((step, index) => (
              <StepRow key={`${step.status} ${step.at}`} step={step} before={data.steps[index - 1]} />
            ))}
          </ol>
          <h3>{word('rsv.messages')}</h3>
          {data.sent.length ? <MessageList messages={data.sent} /> : <p class="soft">{word('rsv.messages.none')}</p>}
          <Events rsvId={rsvId} />
        </>
      )}
    </section>
  );
}

function Facts({ reservation: { carId, payId, status, reason }, steps }: { reservation: Reservation; steps: Step[] }) {
  const [first, last] = [steps[0], steps.at(-1)];
  return (
    <p class="facts">
      <StatusPill kind="rsvStatus" status={status} />
      <a href={linkTo('fleet', { display: 'table', car: carId })}>{word('saga.car', { carId })}</a>
      {payId != null && <span>{word('saga.payment', { payId })}</span>}
      {reason && <span>{isWord(`reason.${reason}`) ? word(`reason.${reason}` as Word) : reason}</span>}
      {first && last && first !== last && <span class="soft">{word('saga.took', { time: shortDuration(first.at, last.at) })}</span>}
    </p>
  );
}

const StepRow = ({ step, before }: { step: Step; before: Step | undefined }) => (
  <li data-status={step.status}>
    <span class="mark" aria-hidden="true" />
    <div class="step-head">
      <StatusPill kind="rsvStatus" status={step.status} />
      <time dateTime={step.at}>{formatTime(step.at)}</time>
      {before && <span class="soft numbers">{word('saga.after', { time: shortDuration(before.at, step.at) })}</span>}
    </div>
    <p>{isWord(`saga.step.${step.status}`) ? word(`saga.step.${step.status}` as Word) : step.status}</p>
    <dl class="causes">
      {step.cause && (
        <div>
          <dt>{word('saga.cause')}</dt>
          <dd>
            <Cause cause={step.cause} />
          </dd>
        </div>
      )}
      {step.actor && (
        <div>
          <dt>{word('saga.actor')}</dt>
          <dd>{step.actor}</dd>
        </div>
      )}
    </dl>
  </li>
);

/** The events of this reservation that have arrived, oldest first, each with the event that caused it. */
function Events({ rsvId }: { rsvId: number }) {
  const events = latestEvents.value.filter(({ data }) => data.rsvId === rsvId).toReversed();
  return (
    <>
      <h3>{word('saga.events')}</h3>
      {events.length === 0 && <p class="soft">{word('saga.events.none')}</p>}
      <ul class="event-rows">
        {events.map((event) => (
          <li key={event.id}>
            <span>
              {wordFor('event', event.type)} <code>{event.id}</code>
              {event.causationid && (
                <small>
                  ← <Cause cause={event.causationid} />
                </small>
              )}
              {event.traceparent && <small>{word('saga.trace', { trace: event.traceparent.split('-')[1] ?? '' })}</small>}
            </span>
            <time dateTime={event.time}>{formatTime(event.time)}</time>
          </li>
        ))}
      </ul>
    </>
  );
}

const KINDS: Record<string, string> = { reservation: 'rsv', payment: 'pay', car: 'car' };

/** A cause is an event, such as `payment/1/1`, which leads to its aggregate, or a request. */
function Cause({ cause }: { cause: string }) {
  const [, context = '', number] = /^([a-z]+)\/(\d+)\/\d+$/.exec(cause) ?? [];
  const kind = KINDS[context];
  if (!kind) return <code>{word('saga.cause.request', { id: cause })}</code>;
  return (
    <a href={linkWith({ kind, number })}>
      <code>{cause}</code>
    </a>
  );
}

function shortDuration(from: string, to: string): string {
  const milliseconds = Date.parse(to) - Date.parse(from);
  return milliseconds < 10_000 ? `${formatNumber(milliseconds)} ms` : formatDuration(milliseconds);
}
