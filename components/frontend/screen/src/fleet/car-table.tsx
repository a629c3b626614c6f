// The table of cars, with the page of one car beside it.

import { useEffect } from 'preact/hooks';
import type { CarView } from '../api/resources';
import { searchCars } from '../api/search';
import { useLive } from '../live/use-live';
import { EmptyNote } from '../parts/empty-note';
import { FreshnessNote } from '../parts/freshness';
import { Pager } from '../parts/pager';
import { Price } from '../parts/price';
import { ProblemNotice } from '../parts/problem-notice';
import { StatusPill } from '../parts/status-pill';
import { change, linkWith, numberParameter } from '../route';
import { word } from '../words';
import { CarPage } from './car-page';
import { carQuery, COLUMNS, NO_FILTERS, type Column } from './car-query';
import { Toolbar } from './toolbar';

export function CarTable() {
  const query = carQuery();
  const carId = numberParameter('car', undefined);
  const cars = useLive(`table ${JSON.stringify(query)}`, (signal) => searchCars(query, signal));
  const { data, freshness } = cars;
  const isFiltered = Boolean(query.q || query.carStatus || query.rsvStatus || query.payStatus);
  // The last page may have gone.
  const lastPage = data ? Math.max(0, data.page.totalPages - 1) : Infinity;
  useEffect(() => {
    if (!cars.isBusy && query.page > lastPage) change({ page: lastPage + 1 }, { replace: true });
  }, [cars.isBusy, query.page, lastPage]);
  return (
    <div class="table-and-car" data-open={carId !== undefined}>
      <section class="card car-table" aria-label={word('fleet.table')}>
        <Toolbar query={query} />
        <div class="table-note">
          {isFiltered && (
            <button type="button" class="quiet" onClick={() => change(NO_FILTERS)}>
              {word('fleet.filter.clear')}
            </button>
          )}
          <FreshnessNote freshness={freshness} />
        </div>
        {freshness.problem && <ProblemNotice problem={freshness.problem} retry={cars.reload} />}
        <table role="table" aria-busy={cars.isBusy}>
          <thead role="rowgroup">
            <tr role="row">
              {COLUMNS.map((column) => (
                <Head key={column} column={column} sort={query.sort} />
              ))}
            </tr>
          </thead>
          <tbody role="rowgroup">{data?.rows.map((car) => <Row key={car.carId} car={car} isOpen={car.carId === carId} />)}</tbody>
        </table>
        {data?.rows.length === 0 && <EmptyNote title={word(isFiltered ? 'fleet.none' : 'fleet.empty')} text={word(isFiltered ? 'fleet.none.help' : 'fleet.empty.help')} />}
        {data && <Pager page={data.page} open={(page) => change({ page: page ? page + 1 : undefined })} />}
      </section>
      {carId !== undefined && <CarPage key={carId} carId={carId} />}
    </div>
  );
}

function Head({ column, sort }: { column: Column; sort: string }) {
  const [sorted, direction] = sort.split(',');
  const isSorted = sorted === column;
  const next = isSorted && direction === 'asc' ? 'desc' : 'asc';
  return (
    <th role="columnheader" scope="col" data-column={column} aria-sort={isSorted ? (direction === 'asc' ? 'ascending' : 'descending') : 'none'}>
      <button type="button" onClick={() => change({ sort: `${column},${next}`, page: undefined })}>
        {word(column)}
      </button>
    </th>
  );
}

const Row = ({ car, isOpen }: { car: CarView; isOpen: boolean }) => (
  <tr role="row" data-car-id={car.carId} data-open={isOpen}>
    <td role="cell" data-column="carId">
      {car.carId}
    </td>
    <th role="rowheader" scope="row" data-column="carName">
      <a href={linkWith({ car: car.carId })} title={car.carName} aria-current={isOpen ? 'true' : undefined}>
        {car.carName}
      </a>
    </th>
    <td role="cell" data-column="carType" title={car.carType}>
      {car.carType || <span class="none">–</span>}
    </td>
    <td role="cell" data-column="amount">
      <Price amount={car.amount} />
    </td>
    <td role="cell" data-column="carStatus">
      <StatusPill kind="carStatus" status={car.carStatus} />
    </td>
    <td role="cell" data-column="rsvId">
      <Numbered number={car.rsvId}>{car.rsvStatus && <StatusPill kind="rsvStatus" status={car.rsvStatus} />}</Numbered>
    </td>
    <td role="cell" data-column="payId">
      <Numbered number={car.payId}>{car.payStatus && <StatusPill kind="payStatus" status={car.payStatus} />}</Numbered>
    </td>
  </tr>
);

const Numbered = ({ number, children }: { number: number | null | undefined; children: preact.ComponentChildren }) =>
  number == null ? (
    <span class="none">–</span>
  ) : (
    <>
      <span class="number">{number}</span>
      {children}
    </>
  );
