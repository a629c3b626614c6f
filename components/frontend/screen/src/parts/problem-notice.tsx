// Why something failed, in the words of a person, and what can be done about it: try again after a countdown, or at once.

import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Problem } from '../api/problem';
import { problemText } from './problem-text';
import { word } from '../words';
import { useCountdown } from './countdown';
import { Icon } from './icon';

interface Properties {
  problem: Problem;
  headline?: string;
  /** Repeats what failed. It is called by itself when the time of `Retry-After` has passed. */
  retry?: (() => void) | undefined;
  dismiss?: () => void;
  children?: ComponentChildren;
}

export function ProblemNotice({ problem, headline, retry, dismiss, children }: Properties) {
  return (
    <div class="notice" role="alert" data-slug={problem.slug}>
      <Icon name="alert" />
      <div class="notice-text">
        <strong>{headline ?? problemText(problem)}</strong>
        {headline && <p>{problemText(problem)}</p>}
        {children}
        {retry && problem.isTemporary && <Retry key={problem} seconds={problem.retryAfter} retry={retry} />}
      </div>
      {dismiss && (
        <button type="button" class="quiet icon-button" onClick={dismiss} aria-label={word('close')}>
          <Icon name="close" />
        </button>
      )}
    </div>
  );
}

function Retry({ seconds, retry }: { seconds: number; retry: () => void }) {
  const [end] = useState(() => Date.now() + seconds * 1000);
  const left = useCountdown(end);
  const [isDone, setDone] = useState(seconds === 0);
  useEffect(() => {
    if (left > 0 || isDone) return;
    setDone(true);
    retry();
  }, [left, isDone]);
  return (
    <p class="retry">
      {left > 0 && <span>{word('retry.in', { seconds: left })}</span>}
      <button type="button" class="secondary" onClick={retry}>
        {word('retry.now')}
      </button>
    </p>
  );
}
