// The words for a problem, by its type. Details of the server are for programmers, and never shown.

import type { FieldError, Problem } from '../api/problem';
import { isWord, word } from '../words';

export function problemText(problem: Problem): string {
  const key = `problem.${problem.slug}`;
  if (isWord(key)) return word(key);
  if (problem.status === 403) return word('problem.forbidden');
  if (problem.status === 404) return word('problem.not-found');
  return word(problem.isTemporary ? 'problem.unavailable' : 'problem.other');
}

/** What is wrong with a field, by its name. */
export function fieldText({ field }: FieldError): string {
  const key = `${field}.wrong`;
  return isWord(key) ? word(key) : word('field.wrong');
}
