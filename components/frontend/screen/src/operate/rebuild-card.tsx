// The rebuild of the read model from the event log.

import { readRebuild, startRebuild } from '../api/operations';
import { formatNumber } from '../format';
import { useLive } from '../live/use-live';
import { ProblemNotice } from '../parts/problem-notice';
import { StatusPill } from '../parts/status-pill';
import { useCommand } from '../parts/use-command';
import { word } from '../words';
import { NeedsNote } from './needs-note';

export function RebuildCard() {
  const rebuild = useLive('rebuild', (signal) => readRebuild(signal), { polled: true });
  const command = useCommand();
  const { problem } = rebuild.freshness;
  const start = () =>
    command.run(async () => {
      await startRebuild();
      rebuild.reload();
    });
  // 404 also means that there has been no rebuild yet.
  const isOffered = rebuild.data !== undefined || problem?.status === 404;
  return (
    <section class="card rebuild" aria-labelledby="rebuild-title">
      <h2 id="rebuild-title">{word('rebuild.title')}</h2>
      <p class="soft">{word('rebuild.help')}</p>
      {problem && problem.status !== 404 && <NeedsNote problem={problem} retry={rebuild.reload} />}
      {command.problem && <ProblemNotice problem={command.problem} headline={word('operate.failed')} dismiss={command.clear} />}
      {rebuild.data?.state && (
        <p>
          <StatusPill kind="rebuild" status={rebuild.data.state} /> {word('rebuild.events', { events: formatNumber(rebuild.data.events) })}
        </p>
      )}
      {isOffered && (
        <button type="button" class="secondary" aria-disabled={command.isRunning || rebuild.data?.state === 'running'} onClick={start}>
          {word('rebuild.start')}
        </button>
      )}
    </section>
  );
}
