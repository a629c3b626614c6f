// The resources of the API. Their types are generated from the OpenAPI document of the platform.

import { call, type Loaded, type Options } from './client';
import type { components } from './schema';

type Schemas = components['schemas'];
export type Car = Schemas['Car'];
export type CarView = Schemas['CarView'];
export type Reservation = Schemas['Reservation'];
export type Payment = Schemas['Payment'];
/** `kind` is absent on a platform whose messages are texts only. */
export type Message = Schemas['Message'] & { kind?: string };
export type Timeline = Schemas['Timeline'];
export type PageInfo = Schemas['Page'];
export type CarInput = Schemas['CarRegistration'];

/** The figures of the whole fleet. */
export interface Summary {
  cars: number;
  byStatus: { available: number; reserved: number };
  utilisation: number;
  revenue: RevenueHour[];
  attention: CarView[];
  asOf: string;
}

export interface RevenueHour {
  hour: string;
  amount: number;
  payments: number;
}

export interface Rows<T> {
  rows: T[];
  page: PageInfo;
}

type Filter = Record<string, string | number | undefined>;
type Signal = AbortSignal | undefined;

export const listViews = (filter: Filter, signal?: Signal) => list<CarView>('carviews', filter, signal);
export const listReservations = (filter: Filter, signal?: Signal) => list<Reservation>('reservations', filter, signal);
export const listMessages = (filter: Filter, signal?: Signal) => list<Message>('messages', filter, signal);

export const readView = (carId: number, signal?: Signal) => call<CarView>('GET', `/carviews/${carId}`, { signal });
export const readSummary = (signal?: Signal) => call<Summary>('GET', '/carviews/summary', { signal });
export const readCar = (carId: number, signal?: Signal) => call<Car>('GET', `/cars/${carId}`, { signal });
export const readReservation = (rsvId: number, signal?: Signal) => call<Reservation>('GET', `/reservations/${rsvId}`, { signal });
export const readPayment = (payId: number, signal?: Signal) => call<Payment>('GET', `/payments/${payId}`, { signal });
export const readTimeline = (rsvId: number, signal?: Signal) => call<Timeline>('GET', `/reservations/${rsvId}/timeline`, { signal });

export const registerCar = (car: CarInput, options?: Options) => call<Car>('POST', '/cars', { ...options, body: car });
export const replaceCar = (carId: number, car: CarInput, etag: string | null) =>
  call<Car>('PUT', `/cars/${carId}`, { body: car, headers: etag ? { 'If-Match': etag } : {} });
export const deleteCar = (carId: number) => call<void>('DELETE', `/cars/${carId}`);
export const reserveCar = (carId: number, key: string) =>
  call<Reservation>('POST', '/reservations', { body: { carId, status: 'reqReserve' }, headers: { 'Idempotency-Key': key } });
export const cancelReservation = (rsvId: number) => call<Reservation>('PATCH', `/reservations/${rsvId}`, { body: { status: 'reqCancel' } });

/** The results of several requests as one: of the time of the oldest, and stale if one is. */
export function combine<T>(body: T, parts: readonly Loaded<unknown>[]): Loaded<T> {
  return { body, etag: null, asOf: Math.min(...parts.map(({ asOf }) => asOf)), stale: parts.some(({ stale }) => stale) };
}

async function list<T>(name: string, filter: Filter, signal: Signal): Promise<Loaded<Rows<T>>> {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined && value !== '');
  const query = new URLSearchParams(given.map(([key, value]) => [key, String(value)]));
  const loaded = await call<{ _embedded?: Record<string, T[]>; page: PageInfo }>('GET', `/${name}?${query}`, { signal });
  return { ...loaded, body: { rows: loaded.body._embedded?.[name] ?? [], page: loaded.body.page } };
}
