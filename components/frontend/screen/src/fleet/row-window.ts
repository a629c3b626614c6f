// The rows of a long list that are in its window: only these are in the document, and the others are empty space.
//
// All rows have the same height, so that the position of each one follows from its number. The page of the first row in the
// window is in the address, and the row itself in the entry of the history, so that Back and a reload show it again.

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { settle } from '../route';
import { PAGE_SIZE } from './car-query';

/** The rows before and after the window that are rendered, too. */
const OVERSCAN = 10;
/** The window moves in steps of so many rows, so that not every row that is scrolled renders the list. */
const STEP = 4;
/** The time without a scroll after which the position is noted, in milliseconds. */
const REST = 150;
/** The largest height of an element that every browser supports, in pixels. Firefox has the least, 17.8 million. */
const MAX_HEIGHT = 16_000_000;

export interface RowWindow {
  /** The element that scrolls. */
  scroller: { current: HTMLDivElement | null };
  onScroll: () => void;
  /** The rows that are rendered: from `first`, without `end`. */
  first: number;
  end: number;
  /** The height of the rows before them, and of the whole list with its head, in pixels. */
  before: number;
  height: number;
  /** The first row that is seen, and the one after the last. */
  seen: { first: number; end: number };
  /** Scrolls until a row is seen. */
  reveal: (row: number) => void;
}

/** The first row of the list in this entry of the history, with the part of it that is out of the window. */
const rowInHistory = (): number | undefined => (history.state as { row?: number } | null)?.row;

/** The first row at the page of the address. */
export const startRow = (page: number): number => rowInHistory() ?? page * PAGE_SIZE;

/** The window of a list of `total` rows. It begins at the page of the address, and again when `list` or the page changes. */
export function useRowWindow(list: string, page: number, total: number): RowWindow {
  const scroller = useRef<HTMLDivElement>(null);
  const [shape, setShape] = useState({ rowHeight: 54, height: 600, head: 44 });
  const [scrolled, setScrolled] = useState(() => startRow(page));
  /** The list and the page that the position of the scroller belongs to. */
  const place = useRef({ list, page });
  const isAtPlace = place.current.list === list && place.current.page === page;
  const row = isAtPlace ? scrolled : startRow(page);
  const position = useRef(row);
  const rest = useRef<ReturnType<typeof setTimeout>>(undefined);
  const { rowHeight, height, head } = shape;

  const measure = useCallback(() => {
    const element = scroller.current;
    const rows = element?.querySelectorAll('tbody tr[aria-rowindex]');
    const [first, last] = [rows?.[0]?.getBoundingClientRect(), rows?.[rows.length - 1]?.getBoundingClientRect()];
    const measured = first && last && rows ? (last.bottom - first.top) / rows.length : 0;
    // On paper the list is as high as its rows, and must not grow with them.
    const height = Math.min(element?.clientHeight ?? 0, innerHeight);
    const head = element?.querySelector('thead')?.offsetHeight ?? 0;
    setShape((before) => {
      const isSame = !measured || Math.abs(measured - before.rowHeight) < 0.1;
      return isSame && height === before.height && head === before.head ? before : { rowHeight: isSame ? before.rowHeight : measured, height, head };
    });
  }, []);
  useLayoutEffect(measure);
  useEffect(() => {
    const observer = new ResizeObserver(measure);
    if (scroller.current) observer.observe(scroller.current);
    return () => {
      observer.disconnect();
      clearTimeout(rest.current);
    };
  }, []);

  // The position follows the address, unless the address follows the position.
  useLayoutEffect(() => {
    if (isAtPlace) return;
    clearTimeout(rest.current);
    place.current = { list, page };
    position.current = row;
    setScrolled(row);
    if (scroller.current) scroller.current.scrollTop = row * rowHeight;
  }, [list, page]);
  // Rows of another height, or a list that is displayed again, begin with the same row.
  useLayoutEffect(() => {
    if (scroller.current) scroller.current.scrollTop = position.current * rowHeight;
  }, [rowHeight, height > 0]);

  const onScroll = () => {
    const element = scroller.current;
    if (!element?.clientHeight || !height) return;
    const now = rowAt(element.scrollTop, rowHeight);
    position.current = now;
    handOnFocus(element, now);
    setScrolled((before) => (Math.floor(before / STEP) === Math.floor(now / STEP) ? before : now));
    clearTimeout(rest.current);
    rest.current = setTimeout(() => {
      const reached = Math.floor(now / PAGE_SIZE);
      place.current = { list, page: reached };
      setScrolled(now);
      settle({ page: reached ? reached + 1 : undefined }, { row: now });
    }, REST);
  };
  const reveal = (wanted: number) => {
    const element = scroller.current;
    if (!element) return;
    const bottom = (wanted + 1) * rowHeight + head;
    if (element.scrollTop > wanted * rowHeight) element.scrollTop = wanted * rowHeight;
    else if (element.scrollTop + height < bottom) element.scrollTop = bottom - height;
  };

  const rows = Math.min(total, Math.floor(MAX_HEIGHT / rowHeight));
  const count = Math.ceil(height / rowHeight);
  const from = Math.max(0, Math.min(Math.floor(row), rows - count));
  const first = Math.max(0, Math.floor((from - OVERSCAN) / STEP) * STEP);
  const end = Math.min(rows, Math.ceil((from + count + OVERSCAN) / STEP) * STEP);
  const seen = { first: from, end: Math.min(rows, from + count) };
  return { scroller, onScroll, first, end, before: first * rowHeight, height: rows * rowHeight + head, seen, reveal };
}

/** The row at a position. The browser scrolls to whole pixels, which may be a little before a row. */
function rowAt(top: number, rowHeight: number): number {
  const nearest = Math.round(top / rowHeight);
  return Math.abs(top - nearest * rowHeight) <= 1 ? nearest : top / rowHeight;
}

/** A row that is about to be removed hands the focus on to the list, so that the keyboard still scrolls it. */
function handOnFocus(scroller: HTMLElement, position: number): void {
  const row = document.activeElement?.closest('tr[aria-rowindex]');
  if (!row || !scroller.contains(row)) return;
  const distance = Number(row.getAttribute('aria-rowindex')) - 2 - position;
  const seen = scroller.clientHeight / row.clientHeight;
  if (distance < STEP - OVERSCAN || distance > seen + OVERSCAN - STEP) scroller.focus({ preventScroll: true });
}
