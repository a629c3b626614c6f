// The status of a car, a reservation, a payment or a link: a word, and a colour that repeats it.

import { wordFor } from '../words';

const TONES: Record<string, string> = {
  available: 'good', paid: 'good', closed: 'good', done: 'good',
  reserved: 'accent', 'half-open': 'accent', running: 'accent',
  reqReserve: 'warn', reqCancel: 'warn', disabled: 'warn',
  rejected: 'bad', open: 'bad', 'forced-open': 'bad', failed: 'bad',
};

interface Properties {
  kind: 'carStatus' | 'rsvStatus' | 'payStatus' | 'breaker' | 'rebuild';
  status: string;
}

export const StatusPill = ({ kind, status }: Properties) => (
  <span class="pill" data-status={status} data-tone={TONES[status] ?? 'calm'}>
    {wordFor(kind, status)}
  </span>
);
