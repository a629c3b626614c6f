// The reservations of this customer, newest first.

import { useLive } from '../live/use-live';
import { CarArt } from '../parts/car-art';
import { EmptyNote } from '../parts/empty-note';
import { FreshnessNote } from '../parts/freshness';
import { ProblemNotice } from '../parts/problem-notice';
import { StatusPill } from '../parts/status-pill';
import { linkTo } from '../route';
import { word } from '../words';
import { isKnownByPlatform, listMine, type MyReservation } from './my-reservations';

export function MyReservationsPage() {
  const mine = useLive('mine', listMine, { concerns: ({ data }) => data.rsvId !== undefined });
  return (
    <>
      <div class="page-head">
        <h1 data-heading tabIndex={-1}>
          {word('book.mine')}
        </h1>
        <FreshnessNote freshness={mine.freshness} />
      </div>
      {!isKnownByPlatform() && <p class="soft small">{word('mine.local')}</p>}
      {mine.freshness.problem && <ProblemNotice problem={mine.freshness.problem} retry={mine.reload} />}
      {mine.data?.length === 0 && (
        <EmptyNote title={word('mine.none')} text={word('mine.none.help')}>
          <a class="button primary" href={linkTo('book')}>
            {word('book.find')}
          </a>
        </EmptyNote>
      )}
      <ul class="reservation-list">{mine.data?.map((each) => <Row key={each.rsvId} reservation={each} />)}</ul>
    </>
  );
}

const Row = ({ reservation: { rsvId, carId, status, car } }: { reservation: MyReservation }) => (
  <li>
    <a href={linkTo('book', { rsv: rsvId })}>
      <CarArt carId={carId} />
      <span class="car-name">{car?.carName ?? word('rsv.car.deleted')}</span>
      <span class="car-type">{word('rsv.title', { rsvId })}</span>
      <StatusPill kind="rsvStatus" status={status} />
    </a>
  </li>
);
