// Reserving a car. From an unknown outcome until a decision, every repetition sends the same idempotency key, so that it
// cannot reserve twice and finds the reservation of a lost answer. The browser keeps the key across a reload.

import { newIdempotencyKey } from '../api/client';
import { Problem } from '../api/problem';
import { reserveCar } from '../api/resources';
import { user } from '../identity/session';
import { forget, recall, remember } from '../preferences';
import { rememberReservation } from './my-reservations';

/** The time for which the platform repeats the answer of a key, in milliseconds. */
const KEY_LIFETIME = 24 * 3_600_000;

/** Reserves the car and returns the number of the reservation; throws a Problem if the car is not reserved. */
export async function reserve(carId: number): Promise<number> {
  const name = nameOf(carId);
  const earlier = keptKey(name);
  const key = earlier ?? newIdempotencyKey();
  // The page may be closed before the answer.
  if (!earlier) remember(name, `${Date.now() + KEY_LIFETIME} ${key}`);
  try {
    const { body } = await reserveCar(carId, key);
    forget(name);
    rememberReservation(body.rsvId);
    return body.rsvId;
  } catch (error) {
    if (error instanceof Problem) {
      // A refusal that decides nothing leaves the outcome of an earlier attempt unknown.
      const isUnknown = error.outcomeUnknown || (earlier !== undefined && !error.decidesReservation);
      if (!isUnknown) forget(name);
      // A rejected reservation is on record, with its reason.
      if (error.rsvId !== undefined) rememberReservation(error.rsvId);
    }
    throw error;
  }
}

/** Whether an answer about the payment for this car was lost, so that its outcome is unknown. */
export const isUndecided = (carId: number): boolean => keptKey(nameOf(carId)) !== undefined;

function keptKey(name: string): string | undefined {
  const [until, key] = recall(name)?.split(' ') ?? [];
  return Date.now() < Number(until) ? key : undefined;
}

/** Each user of a browser pays for themselves. */
const nameOf = (carId: number): string => `reserving.${carId}.${user.value?.name ?? ''}`;
