// The cars that can be booked now.

import type { CarView } from '../api/resources';
import { searchCars } from '../api/search';
import { formatNumber } from '../format';
import { useLive } from '../live/use-live';
import { CarArt } from '../parts/car-art';
import { EmptyNote } from '../parts/empty-note';
import { FreshnessNote } from '../parts/freshness';
import { Icon } from '../parts/icon';
import { Price } from '../parts/price';
import { ProblemNotice } from '../parts/problem-notice';
import { SearchBox } from '../parts/search-box';
import { change, choiceParameter, linkTo, numberParameter, parameter } from '../route';
import { word, type Word } from '../words';

const ORDERS = ['new', 'cheap', 'dear', 'name'] as const;
const SORT = { new: 'carId,desc', cheap: 'amount,asc', dear: 'amount,desc', name: 'carName,asc' };
/** Number of cars that are shown first, and added by "show more". */
const STEP = 24;
const MAX = 960;

export function FindPage() {
  const q = parameter('q');
  const order = choiceParameter('order', ORDERS);
  const size = Math.min(MAX, numberParameter('show', STEP));
  const cars = useLive(`find ${q} ${order} ${size}`, (signal) => searchCars({ q, size, carStatus: 'available', sort: SORT[order] }, signal));
  const total = cars.data?.page.totalElements;
  return (
    <>
      <div class="page-head">
        <h1 data-heading tabIndex={-1}>
          {word('book.title')}
        </h1>
      </div>
      <div class="find-bar">
        <SearchBox label={word('book.search')} value={q} search={(text) => change({ q: text, show: undefined }, { replace: true })} />
        <select aria-label={word('book.sort')} value={order} onChange={(event) => change({ order: event.currentTarget.value }, { replace: true })}>
          {ORDERS.map((each) => (
            <option key={each} value={each}>
              {word(`book.sort.${each}` as Word)}
            </option>
          ))}
        </select>
      </div>
      <div class="find-note">
        <p aria-live="polite">{total === undefined ? '' : word('book.count', { count: formatNumber(total) })}</p>
        <FreshnessNote freshness={cars.freshness} />
      </div>
      {cars.freshness.problem && <ProblemNotice problem={cars.freshness.problem} retry={cars.reload} />}
      {cars.data?.rows.length === 0 && <EmptyNote title={word(q ? 'book.none.search' : 'book.none')} text={word(q ? 'book.none.search.help' : 'book.none.help')} />}
      <ul class="car-cards" aria-busy={cars.isBusy}>
        {cars.data ? cars.data.rows.map((car) => <CarCard key={car.carId} car={car} />) : Array.from({ length: 6 }, (_, each) => <li key={`empty-${each}`} class="car-card placeholder" aria-hidden="true" />)}
      </ul>
      {cars.data && cars.data.rows.length < Math.min(MAX, cars.data.page.totalElements) && (
        <button type="button" class="secondary more" onClick={() => change({ show: size + STEP }, { replace: true })}>
          {word('book.more')}
        </button>
      )}
    </>
  );
}

const CarCard = ({ car }: { car: CarView }) => (
  <li class="car-card">
    <a href={linkTo('book', { car: car.carId })} data-car-id={car.carId}>
      <CarArt carId={car.carId} />
      <span class="car-name">{car.carName}</span>
      <span class="car-type">{car.carType || word('type.none')}</span>
      <Price amount={car.amount} />
      <span class="go" aria-hidden="true">
        {word('book.choose')}
        <Icon name="forward" />
      </span>
    </a>
  </li>
);
