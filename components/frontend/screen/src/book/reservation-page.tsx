// One reservation as its customer follows it: its progress, what was paid or returned, its messages, and its cancellation.

import { useState } from 'preact/hooks';
import type { Loaded } from '../api/client';
import { cancelReservation, combine, listMessages, readPayment, readReservation, type CarView, type Message, type Payment, type Reservation, type Rows } from '../api/resources';
import { formatAmount } from '../format';
import { useLive } from '../live/use-live';
import { CarArt } from '../parts/car-art';
import { Confirm } from '../parts/confirm';
import { useCountdown } from '../parts/countdown';
import { FreshnessNote } from '../parts/freshness';
import { Icon, type IconName } from '../parts/icon';
import { MessageList } from '../parts/message-list';
import { Price } from '../parts/price';
import { ProblemNotice } from '../parts/problem-notice';
import { useCommand } from '../parts/use-command';
import { linkTo } from '../route';
import { isWord, word, type Word } from '../words';
import { carOf } from './my-reservations';
import { Steps } from './steps';

/** The time after which a step is called slow, in milliseconds. */
const PATIENCE = 8_000;
/** The greatest number of rows in a page. */
const MAX_PAGE = 1000;

interface Details {
  reservation: Reservation;
  car: CarView | undefined;
  payment: Payment | undefined;
  /** Undefined if those of the reservation are older than the messages that were read. */
  messages: Message[] | undefined;
}

const ICONS: Record<string, IconName> = { reqReserve: 'wait', reserved: 'check', reqCancel: 'wait', cancelled: 'refund', rejected: 'alert' };

export function ReservationPage({ rsvId }: { rsvId: number }) {
  const details = useLive(`reservation ${rsvId}`, (signal) => load(rsvId, signal), { concerns: ({ data }) => data.rsvId === rsvId, followsLater: true });
  const { data, freshness } = details;
  return (
    <article class="reservation">
      <div class="page-head">
        <a class="back" href={linkTo('book', { mine: 1 })}>
          <Icon name="back" />
          {word('book.mine')}
        </a>
        <FreshnessNote freshness={freshness} />
      </div>
      {freshness.problem && <ProblemNotice problem={freshness.problem} retry={details.reload} />}
      {data && <Shown details={data} changed={details.accelerate} />}
    </article>
  );
}

function Shown({ details: { reservation, car, payment, messages }, changed }: { details: Details; changed: () => void }) {
  const { rsvId, carId, status } = reservation;
  return (
    <>
      <header class="outcome" data-status={status}>
        <span class="outcome-mark">
          <Icon name={ICONS[status] ?? 'wait'} />
        </span>
        <div role="status">
          <h1 data-heading tabIndex={-1}>
            {word(`rsv.${status}` as Word)}
          </h1>
        </div>
        <p>{word('rsv.title', { rsvId })}</p>
        {status.startsWith('req') && <SlowNote key={status} />}
        {status === 'rejected' && <p class="reason">{reasonText(reservation.reason)}</p>}
      </header>
      {status !== 'rejected' && <Steps status={status} payStatus={payment?.status} />}
      <div class="card">
        <div class="booked-car">
          <CarArt carId={carId} />
          <div>
            <h2>{car?.carName ?? word('rsv.car.deleted')}</h2>
            <p class="soft">{car?.carType}</p>
          </div>
        </div>
        <Bill status={status} payment={payment} />
        {status === 'reserved' && <Cancel rsvId={rsvId} carName={car?.carName ?? word('rsv.title', { rsvId })} amount={payment?.amount ?? 0} changed={changed} />}
        {(status === 'cancelled' || status === 'rejected') && car?.carStatus === 'available' && (
          <a class="button primary" href={linkTo('book', { car: carId })}>
            {word('rsv.again')}
          </a>
        )}
      </div>
      <section class="card" aria-labelledby="messages-title">
        <h2 id="messages-title">{word('rsv.messages')}</h2>
        {messages?.length ? <MessageList messages={messages} /> : <p class="soft">{word(messages ? 'rsv.messages.none' : 'rsv.messages.older')}</p>}
      </section>
    </>
  );
}

/** What is said when a step takes longer than a customer expects. */
function SlowNote() {
  const [end] = useState(() => Date.now() + PATIENCE);
  return useCountdown(end) > 0 ? null : <p>{word('slow')}</p>;
}

function Bill({ status, payment }: { status: string; payment: Payment | undefined }) {
  if (status === 'rejected') return <p class="soft">{word('rsv.charged.nothing')}</p>;
  return (
    <dl class="bill">
      <div>
        <dt>{word('rsv.paid')}</dt>
        <dd>{payment ? <Price amount={payment.amount} /> : '–'}</dd>
      </div>
      {payment?.status === 'cancelled' && (
        <div class="total">
          <dt>{word('rsv.returned')}</dt>
          <dd>
            <Price amount={payment.amount} />
          </dd>
        </div>
      )}
    </dl>
  );
}

function Cancel({ rsvId, carName, amount, changed }: { rsvId: number; carName: string; amount: number; changed: () => void }) {
  const [isAsking, setAsking] = useState(false);
  const command = useCommand();
  const cancel = () =>
    command.run(async () => {
      await cancelReservation(rsvId);
      changed();
    });
  return (
    <>
      {command.problem && <ProblemNotice problem={command.problem} headline={word('rsv.cancel.failed')} retry={cancel} />}
      <button type="button" class="secondary" aria-disabled={command.isRunning} onClick={() => !command.isRunning && setAsking(true)}>
        {command.isRunning ? word('waiting') : word('rsv.cancel')}
      </button>
      {isAsking && (
        <Confirm title={word('rsv.cancel.ask')} yes={word('rsv.cancel.yes')} no={word('rsv.cancel.no')} confirmed={cancel} close={() => setAsking(false)}>
          <p>{amount ? word('rsv.cancel.text', { carName, amount: formatAmount(amount) }) : word('rsv.cancel.text.free', { carName })}</p>
        </Confirm>
      )}
    </>
  );
}

/** Why a reservation was rejected, in words of a customer. */
function reasonText(reason: string | null | undefined): string {
  const key = `reason.${reason}`;
  return isWord(key) ? word(key) : word('problem.other');
}

async function load(rsvId: number, signal: AbortSignal): Promise<Loaded<Details>> {
  const reservation = await readReservation(rsvId, signal);
  const { carId, payId } = reservation.body;
  const [car, payment, messages] = await Promise.all([carOf(carId, signal), payId == null ? undefined : readPayment(payId, signal), listMessages({ size: 100, sort: 'msgId,desc' }, signal)]);
  const own = ownMessages(messages.body, rsvId) ?? ownMessages((await listMessages({ size: MAX_PAGE, sort: 'msgId,desc' }, signal)).body, rsvId);
  return combine({ reservation: reservation.body, car, payment: payment?.body, messages: own }, [reservation, messages]);
}

/** The messages about a reservation; undefined if none is in the page, and others are older. */
function ownMessages({ rows, page }: Rows<Message>, rsvId: number): Message[] | undefined {
  const own = rows.filter((message) => message.rsvId === rsvId);
  return own.length || rows.length >= page.totalElements ? own : undefined;
}
