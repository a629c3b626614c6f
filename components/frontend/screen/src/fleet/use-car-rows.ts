// The cars of a list of which only a part is loaded: the pages with the rows in its window.

import { useEffect, useRef, useState } from 'preact/hooks';
import { combine, type CarView } from '../api/resources';
import { searchCars, type CarQuery } from '../api/search';
import { useLive, type Live } from '../live/use-live';
import { PAGE_SIZE } from './car-query';

/** Pages are loaded when the window has rested for this time, in milliseconds: scrolling far loads nothing on its way. */
const REST = 80;
/** The pages that are kept, to be shown at once when they are scrolled to again. */
const MAX_PAGES = 60;

interface LoadedPages {
  list: string;
  total: number;
  pages: { page: number; rows: CarView[] }[];
}

export interface CarRows {
  live: Live<LoadedPages>;
  /** The number of all cars of the list; undefined before the first response. */
  total: number | undefined;
  /** The car of a row; undefined while it is being loaded. */
  car: (row: number) => CarView | undefined;
  /** Whether what is shown is another list, or not complete. */
  isBusy: boolean;
}

/** The cars of a query. `first` and `end` are the rows in the window. */
export function useCarRows(list: string, query: Omit<CarQuery, 'page' | 'size'>, first: number, end: number): CarRows {
  const wanted = pagesOf(first, end).join();
  const rested = useRested(list, wanted);
  const live = useLive<LoadedPages>(`table ${list} ${rested}`, async (signal) => {
    const pages = rested.split(',').map(Number);
    const loaded = await Promise.all(pages.map((page) => searchCars({ ...query, page, size: PAGE_SIZE }, signal)));
    const total = loaded.at(-1)?.body.page.totalElements ?? 0;
    return combine({ list, total, pages: loaded.map(({ body }, index) => ({ page: pages[index] ?? 0, rows: body.rows })) }, loaded);
  });
  const kept = useRef({ list: '', total: undefined as number | undefined, pages: new Map<number, CarView[]>() });
  const { data } = live;
  // Until the cars of another list arrive, those of the last one stay.
  if (data && data.list === list) {
    if (kept.current.list !== list) kept.current = { list, total: data.total, pages: new Map() };
    kept.current.total = data.total;
    for (const { page, rows } of data.pages) keep(kept.current.pages, page, rows);
  }
  const { total, pages } = kept.current;
  const car = (row: number) => pages.get(Math.floor(row / PAGE_SIZE))?.[row % PAGE_SIZE];
  const isMissing = pagesOf(first, Math.min(end, total ?? 0)).some((page) => !pages.has(page));
  return { live, total, car, isBusy: kept.current.list !== list || isMissing };
}

function pagesOf(first: number, end: number): number[] {
  const [from, to] = [Math.floor(first / PAGE_SIZE), Math.floor(Math.max(first, end - 1) / PAGE_SIZE)];
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

function keep(pages: Map<number, CarView[]>, page: number, rows: CarView[]): void {
  pages.delete(page);
  pages.set(page, rows);
  if (pages.size > MAX_PAGES) pages.delete(pages.keys().next().value ?? 0);
}

/** The value, once it has not changed for a moment. The first one of a list is taken at once. */
function useRested(list: string, value: string): string {
  const [rested, setRested] = useState({ list, value });
  const isOfList = rested.list === list;
  useEffect(() => {
    if (isOfList && rested.value === value) return;
    const timer = setTimeout(() => setRested({ list, value }), isOfList ? REST : 0);
    return () => clearTimeout(timer);
  }, [list, value, isOfList]);
  return isOfList ? rested.value : value;
}
