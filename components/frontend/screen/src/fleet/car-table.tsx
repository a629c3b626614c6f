// The table of cars, with the page of one car beside it. Only the rows in its window are loaded and rendered.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { CarView } from '../api/resources';
import { EmptyNote } from '../parts/empty-note';
import { FreshnessNote } from '../parts/freshness';
import { Pager } from '../parts/pager';
import { Price } from '../parts/price';
import { ProblemNotice } from '../parts/problem-notice';
import { StatusPill } from '../parts/status-pill';
import { change, linkWith, numberParameter } from '../route';
import { word } from '../words';
import { CarPage } from './car-page';
import { carPage, carQuery, COLUMNS, NO_FILTERS, PAGE_SIZE, type Column } from './car-query';
import { startRow, useRowWindow } from './row-window';
import { Toolbar } from './toolbar';
import { useCarRows } from './use-car-rows';

export function CarTable() {
  const query = carQuery();
  const carId = numberParameter('car', undefined);
  const isFiltered = Boolean(query.q || query.carStatus || query.rsvStatus || query.payStatus);
  return (
    <div class="table-and-car" data-open={carId !== undefined}>
      <section class="card car-table" aria-label={word('fleet.table')}>
        <Toolbar query={query} />
        <Rows query={query} isFiltered={isFiltered} openCar={carId} />
      </section>
      {carId !== undefined && <CarPage key={carId} carId={carId} />}
    </div>
  );
}

interface RowsProperties {
  query: ReturnType<typeof carQuery>;
  isFiltered: boolean;
  openCar: number | undefined;
}

function Rows({ query, isFiltered, openCar }: RowsProperties) {
  const list = JSON.stringify(query);
  const page = carPage();
  const [knownTotal, setKnownTotal] = useState<number>();
  // Before the first response, the list reaches as far as the address says.
  const rows = useRowWindow(list, page, knownTotal ?? startRow(page) + PAGE_SIZE);
  const cars = useCarRows(list, query, rows.first, rows.end);
  const { total, live, isBusy } = cars;
  const keyboard = useRowKeys(total ?? 0, rows.reveal);
  useLayoutEffect(() => setKnownTotal(total), [total]);
  // The list of the response may be longer or shorter than the one that was rendered.
  const count = total === undefined ? undefined : Math.min(rows.end, total) - rows.first;
  const numbers = Array.from({ length: Math.max(0, count ?? rows.end - rows.first) }, (_, index) => rows.first + index);
  const rendered = new Set<number>();
  return (
    <>
      <div class="table-note">
        {isFiltered && (
          <button type="button" class="quiet" onClick={() => change(NO_FILTERS)}>
            {word('fleet.filter.clear')}
          </button>
        )}
        <FreshnessNote freshness={live.freshness} />
      </div>
      {live.freshness.problem && <ProblemNotice problem={live.freshness.problem} retry={live.reload} />}
      <div ref={rows.scroller} class="rows" tabIndex={0} role="group" aria-label={word('fleet.rows')} onScroll={rows.onScroll} onKeyDown={keyboard}>
        <div class="all-rows" style={{ minHeight: `${total === 0 ? 0 : rows.height}px` }}>
          <table role="table" aria-busy={isBusy} aria-rowcount={total === undefined ? -1 : total + 1} aria-label={word('fleet.table')}>
            <thead role="rowgroup">
              <tr role="row" aria-rowindex={1}>
                {COLUMNS.map((column) => (
                  <Head key={column} column={column} sort={query.sort} />
                ))}
              </tr>
            </thead>
            <tbody role="rowgroup">
              <Space key="before" height={rows.before} />
              {numbers.map((number) => {
                const car = cars.car(number);
                if (!car) return <Placeholder key={`row ${number}`} number={number} />;
                // A car that has moved to another page is on both until both are loaded again.
                const key = rendered.has(car.carId) ? `row ${number}` : car.carId;
                rendered.add(car.carId);
                return <Row key={key} number={number} car={car} isOpen={car.carId === openCar} />;
              })}
            </tbody>
          </table>
        </div>
        {total === 0 && !isBusy && <EmptyNote title={word(isFiltered ? 'fleet.none' : 'fleet.empty')} text={word(isFiltered ? 'fleet.none.help' : 'fleet.empty.help')} />}
      </div>
      {total !== undefined && <Pager seen={rows.seen} total={total} size={PAGE_SIZE} open={(wanted) => change({ page: wanted ? wanted + 1 : undefined })} />}
    </>
  );
}

/** The keys ↑ and ↓ lead from a car to its neighbours, whether they are rendered or not. */
function useRowKeys(total: number, reveal: (row: number) => void) {
  const wanted = useRef<{ scroller: HTMLElement; row: number } | undefined>(undefined);
  useEffect(() => {
    if (!wanted.current) return;
    const { scroller, row } = wanted.current;
    const link = scroller.querySelector<HTMLElement>(`tr[aria-rowindex="${row + 2}"] a`);
    if (!link) return;
    wanted.current = undefined;
    link.focus({ preventScroll: true });
  });
  return (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const scroller = event.currentTarget as HTMLElement;
    const row = (event.target as Element).closest('tbody tr[aria-rowindex]');
    if (!step || !(row || wanted.current) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    // A key that is held is faster than the rows are rendered.
    const from = wanted.current?.row ?? Number(row?.getAttribute('aria-rowindex')) - 2;
    const next = Math.max(0, Math.min(from + step, total - 1));
    reveal(next);
    const link = scroller.querySelector<HTMLElement>(`tr[aria-rowindex="${next + 2}"] a`);
    wanted.current = link ? undefined : { scroller, row: next };
    link?.focus({ preventScroll: true });
  };
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

/** The height of the rows before those that are rendered. */
const Space = ({ height }: { height: number }) => (
  <tr class="space" aria-hidden="true">
    <td style={{ height: `${height}px` }} />
  </tr>
);

/** A row whose car is being loaded. */
const Placeholder = ({ number }: { number: number }) => (
  <tr role="row" class="placeholder" aria-rowindex={number + 2}>
    <td role="cell">
      <span class="visually-hidden">{word('freshness.loading')}</span>
    </td>
  </tr>
);

const Row = ({ car, number, isOpen }: { car: CarView; number: number; isOpen: boolean }) => (
  <tr role="row" aria-rowindex={number + 2} data-car-id={car.carId} data-open={isOpen}>
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
