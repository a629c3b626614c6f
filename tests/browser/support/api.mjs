// Another client of the platform, which changes cars and reservations while the screen is open.

import { eventually, expect } from './steps.mjs';

export class Api {
  #url;

  constructor(url) {
    this.#url = url;
  }

  async call(method, path, body) {
    const response = await fetch(new URL(path, this.#url), {
      method,
      headers: { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(response.ok, `${method} ${path} returned ${response.status}: ${await response.clone().text()}`);
    return response.status === 204 ? undefined : response.json();
  }

  register(carName, amount = 52_000, carType = '세단') {
    return this.call('POST', '/cars', { carName, carType, amount });
  }

  change(carId, fields) {
    return this.call('PATCH', `/cars/${carId}`, fields);
  }

  /** A reservation that is confirmed. */
  async reserve(carId) {
    const { rsvId } = await this.call('POST', '/reservations', { carId });
    return eventually(`reservation ${rsvId} is confirmed`, async () => {
      const reservation = await this.call('GET', `/reservations/${rsvId}`);
      return reservation.status === 'reserved' && reservation;
    });
  }

  cancel(rsvId) {
    return this.call('PATCH', `/reservations/${rsvId}`, { status: 'reqCancel' });
  }

  /** Whether the platform has this resource. */
  async offers(path) {
    return (await fetch(new URL(path, this.#url), { headers: { accept: 'application/json' } })).status === 200;
  }
}

/** A name that no other run and no other car has. */
export const uniqueName = (text) => `${text} ${Date.now().toString(36)}${Math.random().toString(36).slice(2, 5)}`;
