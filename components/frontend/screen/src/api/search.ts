// The search for cars by text. The platform searches; where it cannot, the screen searches in the first thousand cars.

import type { Loaded } from './client';
import { Problem } from './problem';
import { listViews, type CarView, type Rows } from './resources';

/** The most rows that one page has. */
const MAX_SIZE = 1000;

export interface CarQuery {
  q?: string;
  carStatus?: string;
  rsvStatus?: string;
  payStatus?: string;
  sort?: string;
  page?: number;
  size: number;
}

let isSupported = true;

export async function searchCars(query: CarQuery, signal?: AbortSignal): Promise<Loaded<Rows<CarView>>> {
  if (!query.q || isSupported) {
    try {
      return await listViews({ ...query }, signal);
    } catch (error) {
      if (!query.q || !(error instanceof Problem) || error.slug !== 'bad-query') throw error;
      isSupported = false;
    }
  }
  return searchHere(query, signal);
}

async function searchHere({ q = '', page = 0, size, ...rest }: CarQuery, signal?: AbortSignal): Promise<Loaded<Rows<CarView>>> {
  const loaded = await listViews({ ...rest, size: MAX_SIZE }, signal);
  const wanted = q.toLowerCase();
  const found = loaded.body.rows.filter(({ carId, carName, carType }) => [String(carId), carName, carType].some((text) => text.toLowerCase().includes(wanted)));
  const rows = found.slice(page * size, (page + 1) * size);
  return { ...loaded, body: { rows, page: { size, number: page, totalElements: found.length, totalPages: Math.ceil(found.length / size) } } };
}
