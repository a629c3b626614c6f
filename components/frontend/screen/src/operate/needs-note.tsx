// What an operator needs for a part that the host refuses.

import type { Problem } from '../api/problem';
import { EmptyNote } from '../parts/empty-note';
import { ProblemNotice } from '../parts/problem-notice';
import { word } from '../words';

interface Properties {
  problem: Problem | undefined;
  retry: () => void;
}

export function NeedsNote({ problem, retry }: Properties) {
  if (!problem) return null;
  switch (problem.status) {
    case 401:
    case 404:
      return <EmptyNote title={word('operate.needs')} text={word(`operate.needs.${problem.status}`)} />;
    case 403:
      // The type is the same for both causes; only the detail names the missing flag.
      return <EmptyNote title={word('operate.needs')} text={word(problem.detail.includes('--chaos') ? 'faults.forbidden' : 'operate.needs.403')} />;
    default:
      return <ProblemNotice problem={problem} retry={retry} />;
  }
}
