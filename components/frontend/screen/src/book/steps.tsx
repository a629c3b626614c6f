// The steps of a reservation, and those of its cancellation, as a customer sees them.

import { Icon } from '../parts/icon';
import { word, type Word } from '../words';

interface Step {
  name: Word;
  isDone: boolean;
}

export function Steps({ status, payStatus }: { status: string; payStatus: string | undefined }) {
  const steps = status === 'reqCancel' || status === 'cancelled' ? cancellation(status, payStatus) : booking(status, payStatus);
  const current = steps.findIndex(({ isDone }) => !isDone);
  return (
    <ol class="steps" aria-label={word('rsv.steps')}>
      {steps.map(({ name, isDone }, index) => (
        <li key={name} data-done={isDone} aria-current={index === current ? 'step' : undefined}>
          <span class="step-mark">{isDone && <Icon name="check" />}</span>
          {word(name)}
        </li>
      ))}
    </ol>
  );
}

const booking = (status: string, payStatus: string | undefined): Step[] => [
  { name: 'rsv.step.asked', isDone: true },
  { name: 'rsv.step.paid', isDone: payStatus === 'paid' || status === 'reserved' },
  { name: 'rsv.step.reserved', isDone: status === 'reserved' },
];

const cancellation = (status: string, payStatus: string | undefined): Step[] => [
  { name: 'rsv.step.cancel', isDone: true },
  { name: 'rsv.step.refunded', isDone: payStatus === 'cancelled' || status === 'cancelled' },
  { name: 'rsv.step.cancelled', isDone: status === 'cancelled' },
];
