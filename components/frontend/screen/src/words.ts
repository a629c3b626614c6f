// The texts of the screen. Each text has one key, with its Korean and its English form side by side, so that the compiler
// finds a text without a translation.

import { language } from './preferences';
import { book } from './words/book';
import { common } from './words/common';
import { fleet } from './words/fleet';
import { operate } from './words/operate';
import { problems } from './words/problems';

const words = { ...common, ...problems, ...book, ...fleet, ...operate };

export type Word = keyof typeof words;
export type Values = Record<string, string | number>;

/** The text in the current language, with its {placeholders} replaced. */
export function word(key: Word, values: Values = {}): string {
  const text = words[key][language.value === 'ko' ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (_, name: string) => isolated(String(values[name] ?? '')));
}

/** The text for a value of the API, such as `carStatus.available`; the value itself if it is unknown. */
export function wordFor(kind: string, value: string): string {
  const key = `${kind}.${value}`;
  return key in words ? word(key as Word) : value;
}

export const isWord = (key: string): key is Word => key in words;

/** A text of a user does not change the direction of the sentence around it (First Strong Isolate). */
const isolated = (value: string) => (/[\u0590-\u08ff\u200f\ufb1d-\ufefc]/.test(value) ? `\u2068${value}\u2069` : value);
