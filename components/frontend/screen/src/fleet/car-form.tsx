// The fields of a car, and what is wrong with each of them.

import { useEffect, useId, useRef } from 'preact/hooks';
import { Problem } from '../api/problem';
import type { CarInput } from '../api/resources';
import { fieldText } from '../parts/problem-text';
import { word, type Word } from '../words';

export const FIELDS = ['carName', 'carType', 'amount'] as const;
export type Field = (typeof FIELDS)[number];
/** What is typed, as it is typed. */
export type CarDraft = Record<Field, string>;

export const EMPTY: CarDraft = { carName: '', carType: '', amount: '' };

interface Properties {
  draft: CarDraft;
  change: (draft: CarDraft) => void;
  problem: Problem | undefined;
}

export function CarFields({ draft, change, problem }: Properties) {
  const id = useId();
  const fields = useRef<HTMLDivElement>(null);
  useEffect(() => fields.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus(), [problem]);
  return (
    <div class="fields" ref={fields}>
      {FIELDS.map((field) => {
        const error = problem?.errors.find((each) => each.field === field);
        return (
          <div key={field} class={`field ${field === 'carName' ? 'wide' : ''}`}>
            <label for={`${id}-${field}`}>
              {word(field)} {field === 'carName' && <em>{word('required')}</em>}
            </label>
            <input
              id={`${id}-${field}`}
              name={field}
              value={draft[field]}
              inputMode={field === 'amount' ? 'numeric' : 'text'}
              placeholder={word(`${field}.hint` as Word)}
              aria-invalid={error !== undefined}
              aria-describedby={`${id}-${field}-error`}
              aria-required={field === 'carName'}
              autocomplete="off"
              onInput={(event) => change({ ...draft, [field]: event.currentTarget.value })}
            />
            <span class="field-error" id={`${id}-${field}-error`}>
              {error && fieldText(error)}
            </span>
          </div>
        );
      })}
    </div>
  );
}

/** The car that was typed. The platform validates it; throws a Problem for an amount that is no number. */
export function carOfDraft({ carName, carType, amount }: CarDraft): CarInput {
  const car: CarInput = { carName: carName.trim() };
  if (carType.trim()) car.carType = carType.trim();
  const digits = amount.replace(/[\s,₩원]/g, '');
  if (digits === '') return car;
  const value = Number(digits);
  if (!Number.isSafeInteger(value)) throw new Problem({ slug: 'invalid-field', errors: [{ field: 'amount', message: '' }] });
  return { ...car, amount: value };
}

export const draftOfCar = ({ carName, carType, amount }: { carName: string; carType: string; amount: number }): CarDraft => ({ carName, carType, amount: amount ? String(amount) : '' });
