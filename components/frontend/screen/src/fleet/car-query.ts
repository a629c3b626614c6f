// The query of the table in the URL. Invalid parts are replaced by defaults; the newest car comes first.

import type { CarQuery } from '../api/search';
import { choiceParameter, numberParameter, parameter } from '../route';

export const COLUMNS = ['carId', 'carName', 'carType', 'amount', 'carStatus', 'rsvId', 'payId'] as const;
export type Column = (typeof COLUMNS)[number];
/** The number of rows that are loaded at a time, and that a page of the jump has. */
export const PAGE_SIZE = 50;
export const CAR_STATUSES = ['', 'available', 'reserved'] as const;
export const RSV_STATUSES = ['', 'reqReserve', 'reserved', 'reqCancel', 'cancelled'] as const;
export const PAY_STATUSES = ['', 'paid', 'cancelled'] as const;

const SORTS = ['carId,desc', ...COLUMNS.flatMap((column) => [`${column},asc`, `${column},desc`])] as const;

/** The cars of the list and their order. */
export function carQuery(): Omit<CarQuery, 'page' | 'size'> & { sort: string } {
  return {
    q: parameter('q'),
    carStatus: choiceParameter('status', CAR_STATUSES),
    rsvStatus: choiceParameter('rsv', RSV_STATUSES),
    payStatus: choiceParameter('pay', PAY_STATUSES),
    sort: choiceParameter('sort', SORTS as unknown as readonly [string, ...string[]]),
  };
}

/** The page of the first row that is seen. It counts from 1 in the URL, as people count, and from 0 here, as in the API. */
export const carPage = (): number => numberParameter('page', 1) - 1;

export const NO_FILTERS = { q: undefined, status: undefined, rsv: undefined, pay: undefined, page: undefined };
