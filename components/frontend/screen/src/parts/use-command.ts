// One command at a time, with its progress and its problem.

import { useState } from 'preact/hooks';
import { asProblem, type Problem } from '../api/problem';

export interface Command {
  isRunning: boolean;
  problem: Problem | undefined;
  /** Runs the work, unless a work is in progress. */
  run: (work: () => Promise<void>) => void;
  clear: () => void;
}

export function useCommand(): Command {
  const [isRunning, setRunning] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const run = async (work: () => Promise<void>) => {
    if (isRunning) return;
    setRunning(true);
    setProblem(undefined);
    try {
      await work();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setRunning(false);
    }
  };
  return { isRunning, problem, run: (work) => void run(work), clear: () => setProblem(undefined) };
}
