// Which reservations are mine. A platform with an identity knows; an open one does not, and the browser keeps the numbers.

import type { Loaded } from '../api/client';
import { Problem } from '../api/problem';
import { combine, listReservations, readReservation, readView, type CarView, type Reservation } from '../api/resources';
import { recall, remember } from '../preferences';
import { user } from '../identity/session';

/** Number of reservations that are shown. */
const LATEST = 20;
let numbers = recalled();

export interface MyReservation extends Reservation {
  /** Absent if the car has been deleted. */
  car: CarView | undefined;
}

export const isKnownByPlatform = (): boolean => user.value?.role === 'customer';

export function rememberReservation(rsvId: number): void {
  numbers = [rsvId, ...numbers.filter((each) => each !== rsvId)].slice(0, LATEST);
  remember('reservations', JSON.stringify(numbers));
}

/** My latest reservations with their cars, newest first. */
export async function listMine(signal: AbortSignal): Promise<Loaded<MyReservation[]>> {
  const reservations = isKnownByPlatform() ? await listOfPlatform(signal) : await listOfBrowser(signal);
  const cars = new Map(await Promise.all([...new Set(reservations.body.map(({ carId }) => carId))].map(async (carId) => [carId, await carOf(carId, signal)] as const)));
  return { ...reservations, body: reservations.body.map((each) => ({ ...each, car: cars.get(each.carId) })) };
}

async function listOfPlatform(signal: AbortSignal): Promise<Loaded<Reservation[]>> {
  const loaded = await listReservations({ size: LATEST, sort: 'rsvId,desc' }, signal);
  return { ...loaded, body: loaded.body.rows };
}

async function listOfBrowser(signal: AbortSignal): Promise<Loaded<Reservation[]>> {
  const loaded = await Promise.all(numbers.map((rsvId) => existing(readReservation(rsvId, signal))));
  const found = loaded.filter((each) => each !== undefined);
  if (!found.length) return { body: [], etag: null, asOf: Date.now(), stale: false };
  const reservations = found.map(({ body }) => body).sort((one, other) => other.rsvId - one.rsvId);
  return combine(reservations, found);
}

/** The car of a reservation; undefined if it has been deleted. */
export async function carOf(carId: number, signal: AbortSignal): Promise<CarView | undefined> {
  return (await existing(readView(carId, signal)))?.body;
}

async function existing<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return undefined;
    throw error;
  }
}

function recalled(): number[] {
  try {
    const kept: unknown = JSON.parse(recall('reservations') ?? '[]');
    return Array.isArray(kept) ? kept.filter((each) => Number.isSafeInteger(each)) : [];
  } catch {
    return [];
  }
}
