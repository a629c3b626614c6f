// The figures of the whole fleet. Where the platform does not compute them, the screen counts cars, and knows no revenue.

import type { Loaded } from '../api/client';
import { Problem } from '../api/problem';
import { combine, listViews, readSummary, type CarView, type RevenueHour } from '../api/resources';

export interface Figures {
  cars: number;
  available: number;
  reserved: number;
  utilisation: number;
  /** Absent where the platform does not compute it. */
  revenue?: RevenueHour[];
  attention: CarView[];
}

let isOffered = true;

export async function loadFigures(signal: AbortSignal): Promise<Loaded<Figures>> {
  if (isOffered) {
    try {
      const { body, ...rest } = await readSummary(signal);
      const { cars, byStatus, utilisation, revenue, attention } = body;
      return { ...rest, body: { cars, ...byStatus, utilisation, revenue, attention } };
    } catch (error) {
      // A customer may not see the revenue.
      if (!(error instanceof Problem) || ![400, 403, 404].includes(error.status)) throw error;
      isOffered = error.status === 403;
    }
  }
  return countCars(signal);
}

async function countCars(signal: AbortSignal): Promise<Loaded<Figures>> {
  const [all, available, requested, cancelling] = await Promise.all([
    listViews({ size: 1 }, signal),
    listViews({ size: 1, carStatus: 'available' }, signal),
    listViews({ size: 10, rsvStatus: 'reqReserve', sort: 'rsvId,asc' }, signal),
    listViews({ size: 10, rsvStatus: 'reqCancel', sort: 'rsvId,asc' }, signal),
  ]);
  const cars = all.body.page.totalElements;
  const free = available.body.page.totalElements;
  const reserved = Math.max(0, cars - free);
  const figures = { cars, available: free, reserved, utilisation: cars ? reserved / cars : 0, attention: [...requested.body.rows, ...cancelling.body.rows] };
  return combine(figures, [all, available, requested, cancelling]);
}
