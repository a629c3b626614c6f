// The query of the table in the URL. Invalid parts are replaced by defaults; the newest car comes first.

import type { CarQuery } from '../api/search';
import { choiceParameter, numberParameter, parameter } from '../route';

export const COLUMNS = ['carId', 'carName', 'carType', 'amount', 'carStatus', 'rsvId', 'payId'] as const;
export type Column = (typeof COLUMNS)[number];
export const SIZES = [20, 50, 100] as const;
export const CAR_STATUSES = ['', 'available', 'reserved'] as const;
export const RSV_STATUSES = ['', 'reqReserve', 'reserved', 'reqCancel', 'cancelled'] as const;
export const PAY_STATUSES = ['', 'paid', 'cancelled'] as const;

const SORTS = ['carId,desc', ...COLUMNS.flatMap((column) => [`${column},asc`, `${column},desc`])] as const;

/** `page` counts from 1 in the URL, as people count, and from 0 in the query, as the API does. */
export function carQuery(): CarQuery & { sort: string; page: number } {
  return {
    q: parameter('q'),
    carStatus: choiceParameter('status', CAR_STATUSES),
    rsvStatus: choiceParameter('rsv', RSV_STATUSES),
    payStatus: choiceParameter('pay', PAY_STATUSES),
    sort: choiceParameter('sort', SORTS as unknown as readonly [string, ...string[]]),
    page: numberParameter('page', 1) - 1,
    size: SIZES.find((size) => size === numberParameter('size', 0)) ?? SIZES[0],
  };
}

export const NO_FILTERS = { q: undefined, status: undefined, rsv: undefined, pay: undefined, page: undefined };
