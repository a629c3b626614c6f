// Registers the cars of a file, a few at a time. A refusal concerns one line; an overload delays all of them.

import { Problem } from '../api/problem';
import { registerCar } from '../api/resources';
import { carOfDraft, type CarDraft, type Field } from './car-form';
import { readCsv } from './csv';

/** Requests in progress at the same time. */
const PARALLEL = 4;
/** Attempts for one line that the platform cannot handle now. */
const ATTEMPTS = 8;

const HEADINGS: Record<string, Field> = {
  carname: 'carName', name: 'carName', '차량 이름': 'carName', 이름: 'carName', 차량명: 'carName',
  cartype: 'carType', type: 'carType', 차종: 'carType',
  amount: 'amount', price: 'amount', 요금: 'amount', 가격: 'amount',
};

export interface ImportLine {
  /** The number of the line in the file. */
  line: number;
  draft: CarDraft;
}

export interface RefusedLine extends ImportLine {
  problem: Problem;
}

/** The cars of a file; undefined if its first line names no column for the name. */
export function linesOf(file: string): ImportLine[] | undefined {
  const [headings = [], ...records] = readCsv(file.normalize('NFC'));
  const fields = headings.map((heading) => HEADINGS[heading.trim().toLowerCase()]);
  if (!fields.includes('carName')) return undefined;
  return records.flatMap((record, index) => {
    if (record.every((value) => value.trim() === '')) return [];
    const draft: CarDraft = { carName: '', carType: '', amount: '' };
    fields.forEach((field, column) => {
      if (field) draft[field] = (record[column] ?? '').trim();
    });
    return [{ line: index + 2, draft }];
  });
}

interface Progress {
  registered: () => void;
  refused: (line: RefusedLine) => void;
}

/** Registers the cars until the signal is aborted. */
export async function importCars(lines: readonly ImportLine[], progress: Progress, signal: AbortSignal): Promise<void> {
  const queue = lines.values();
  const worker = async () => {
    for (const line of queue) {
      if (signal.aborted) return;
      try {
        await register(line, signal);
        progress.registered();
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        progress.refused({ ...line, problem: error });
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

/** A registration is repeated only if the platform has surely not executed it. */
async function register({ draft }: ImportLine, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await registerCar(carOfDraft(draft));
      return;
    } catch (error) {
      const isRefused = error instanceof Problem && [429, 503].includes(error.status) && !error.outcomeUnknown;
      if (!isRefused || attempt === ATTEMPTS || signal.aborted) throw error;
      await pause(Math.max(1, error.retryAfter) * 1000);
    }
  }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
