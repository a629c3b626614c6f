// One car: its state, its commands, its reservations, and what has just happened to it.

import { useState } from 'preact/hooks';
import type { Loaded } from '../api/client';
import { Problem } from '../api/problem';
import { cancelReservation, combine, deleteCar, listReservations, readCar, readView, type Car, type CarView, type Reservation } from '../api/resources';
import { formatTime } from '../format';
import { isLive, latestEvents } from '../live/feed';
import { useLive } from '../live/use-live';
import { CarArt } from '../parts/car-art';
import { Confirm } from '../parts/confirm';
import { EmptyNote } from '../parts/empty-note';
import { Icon } from '../parts/icon';
import { Price } from '../parts/price';
import { ProblemNotice } from '../parts/problem-notice';
import { StatusPill } from '../parts/status-pill';
import { toast } from '../parts/toast';
import { useCommand } from '../parts/use-command';
import { change, linkTo, linkWith } from '../route';
import { word, wordFor } from '../words';
import { EditDialog } from './edit-dialog';

interface Details {
  view: CarView | undefined;
  reservations: Reservation[];
}

export function CarPage({ carId }: { carId: number }) {
  const details = useLive(`car page ${carId}`, (signal) => load(carId, signal), { concerns: ({ data }) => data.carId === carId });
  const { data, freshness } = details;
  const view = data?.view;
  return (
    <aside class="card car-page" aria-labelledby="car-title">
      <div class="car-page-head">
        <h2 id="car-title" data-heading tabIndex={-1}>
          {word('car.title', { carId })}
        </h2>
        <a class="quiet icon-button" href={linkWith({ car: undefined })} aria-label={word('close')}>
          <Icon name="close" />
        </a>
      </div>
      {freshness.problem && <ProblemNotice problem={freshness.problem} retry={details.reload} />}
      {data && !view && <EmptyNote title={word('car.missing')} />}
      {data && view && (
        <>
          <div class="booked-car">
            <CarArt carId={carId} />
            <div>
              <h3>{view.carName}</h3>
              <p class="soft">{view.carType || word('type.none')}</p>
              <Price amount={view.amount} />
            </div>
          </div>
          <p class="pills">
            <StatusPill kind="carStatus" status={view.carStatus} />
            {view.rsvStatus && <StatusPill kind="rsvStatus" status={view.rsvStatus} />}
            {view.payStatus && <StatusPill kind="payStatus" status={view.payStatus} />}
          </p>
          <Commands view={view} changed={details.accelerate} />
          <History reservations={data.reservations} />
          <Events carId={carId} />
        </>
      )}
    </aside>
  );
}

type Asked = 'delete' | 'cancel' | undefined;

function Commands({ view, changed }: { view: CarView; changed: () => void }) {
  const { carId, carName, rsvId } = view;
  const [asked, setAsked] = useState<Asked>();
  const [edited, setEdited] = useState<Loaded<Car>>();
  const command = useCommand();
  const edit = () => command.run(async () => setEdited(await readCar(carId)));
  const remove = () =>
    command.run(async () => {
      await deleteCar(carId);
      toast(word('delete.done', { carId }));
      change({ car: undefined }, { replace: true });
    });
  const cancel = () =>
    command.run(async () => {
      if (rsvId != null) await cancelReservation(rsvId);
      changed();
    });
  const close = () => setAsked(undefined);
  return (
    <>
      <div class="commands">
        {view.rsvStatus === 'reserved' ? (
          <button type="button" class="secondary" onClick={() => setAsked('cancel')}>
            <Icon name="refund" />
            {word('car.cancel')}
          </button>
        ) : (
          <a class="button secondary" href={linkTo('book', { car: carId })}>
            <Icon name="book" />
            {word('car.reserve')}
          </a>
        )}
        <button type="button" class="secondary" onClick={edit}>
          <Icon name="edit" />
          {word('car.edit')}
        </button>
        <button type="button" class="secondary" onClick={() => setAsked('delete')}>
          <Icon name="trash" />
          {word('car.delete')}
        </button>
      </div>
      {command.problem && <ProblemNotice problem={command.problem} dismiss={command.clear} />}
      {asked === 'delete' && (
        <Confirm title={word('delete.ask')} yes={word('delete.yes')} no={word('delete.no')} confirmed={remove} close={close}>
          <p>{word('delete.text', { carId, carName })}</p>
        </Confirm>
      )}
      {asked === 'cancel' && rsvId != null && (
        <Confirm title={word('rsv.cancel.ask')} yes={word('rsv.cancel.yes')} no={word('rsv.cancel.no')} confirmed={cancel} close={close}>
          <p>{word('car.cancel.text', { carName, rsvId })}</p>
        </Confirm>
      )}
      {edited && <EditDialog car={edited.body} etag={edited.etag} close={() => setEdited(undefined)} saved={changed} />}
    </>
  );
}

const History = ({ reservations }: { reservations: Reservation[] }) => (
  <section aria-labelledby="history-title">
    <h3 id="history-title">{word('car.history')}</h3>
    {reservations.length ? (
      <ul class="link-rows">
        {reservations.map(({ rsvId, status }) => (
          <li key={rsvId}>
            <a href={linkTo('operate', { tab: 'reservations', rsv: rsvId })}>
              <span>{word('rsv.title', { rsvId })}</span>
              <StatusPill kind="rsvStatus" status={status} />
            </a>
          </li>
        ))}
      </ul>
    ) : (
      <p class="soft">{word('car.history.none')}</p>
    )}
  </section>
);

function Events({ carId }: { carId: number }) {
  const events = latestEvents.value.filter(({ data }) => data.carId === carId).slice(0, 12);
  return (
    <section aria-labelledby="events-title">
      <h3 id="events-title">{word('car.events')}</h3>
      {events.length ? (
        <ul class="event-rows">
          {events.map((event) => (
            <li key={event.id}>
              <span>{wordFor('event', event.type)}</span>
              <time dateTime={event.time}>{formatTime(event.time)}</time>
            </li>
          ))}
        </ul>
      ) : (
        <p class="soft">{word(isLive.value ? 'car.events.none' : 'events.not.live')}</p>
      )}
    </section>
  );
}

async function load(carId: number, signal: AbortSignal): Promise<Loaded<Details>> {
  const [view, reservations] = await Promise.all([viewOf(carId, signal), listReservations({ carId, size: 10, sort: 'rsvId,desc' }, signal)]);
  return combine({ view: view?.body, reservations: reservations.body.rows }, view ? [view, reservations] : [reservations]);
}

async function viewOf(carId: number, signal: AbortSignal): Promise<Loaded<CarView> | undefined> {
  try {
    return await readView(carId, signal);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return undefined;
    throw error;
  }
}
