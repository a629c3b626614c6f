// Reserving a car. A repetition after an unknown outcome sends the same idempotency key, so that it cannot reserve twice.

import { newIdempotencyKey } from '../api/client';
import { Problem } from '../api/problem';
import { reserveCar } from '../api/resources';
import { rememberReservation } from './my-reservations';

/** The time for which a reservation with an unknown outcome keeps its key, in milliseconds. */
const KEY_LIFETIME = 60_000;
const keys = new Map<number, { key: string; until: number }>();

/** Reserves the car and returns the number of the reservation; throws a Problem if the car is not reserved. */
export async function reserve(carId: number): Promise<number> {
  try {
    const { body } = await reserveCar(carId, keyFor(carId));
    keys.delete(carId);
    rememberReservation(body.rsvId);
    return body.rsvId;
  } catch (error) {
    if (error instanceof Problem) {
      if (!error.outcomeUnknown && error.slug !== 'idempotency-in-progress') keys.delete(carId);
      // A rejected reservation is on record, with its reason.
      if (error.rsvId !== undefined) rememberReservation(error.rsvId);
    }
    throw error;
  }
}

function keyFor(carId: number): string {
  const known = keys.get(carId);
  if (known && Date.now() < known.until) return known.key;
  const key = newIdempotencyKey();
  keys.set(carId, { key, until: Date.now() + KEY_LIFETIME });
  return key;
}
