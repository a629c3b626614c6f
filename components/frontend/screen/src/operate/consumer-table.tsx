// How far each consumer of events is behind the log, and how many calls run and wait.

import { readMetrics } from '../api/operations';
import { formatNumber } from '../format';
import { useLive } from '../live/use-live';
import { FreshnessNote } from '../parts/freshness';
import { Sparkline } from '../parts/sparkline';
import { word } from '../words';
import { samplesOf, type Sample } from './metrics';
import { NeedsNote } from './needs-note';
import { QueueList } from './queue-list';
import { useSamples } from './use-samples';

/** The group of a component that each host has for itself also names the host. */
const consumerOf = ({ labels: { group = '', stream = '' }, value }: Sample) => ({ name: `${stream} → ${group.split('@')[0]}`, lag: value });

export function ConsumerTable() {
  const metrics = useLive('metrics', (signal) => readMetrics(signal), { polled: true });
  const consumers = samplesOf(metrics.data ?? '', 'socar_event_lag').map(consumerOf).sort((one, other) => other.lag - one.lag || one.name.localeCompare(other.name));
  const history = useSamples(metrics.data, Object.fromEntries(consumers.map(({ name, lag }) => [name, lag])));
  return (
    <section class="card consumers" aria-labelledby="consumers-title">
      <div class="card-head">
        <h2 id="consumers-title">{word('consumers.title')}</h2>
        <FreshnessNote freshness={metrics.freshness} />
      </div>
      <NeedsNote problem={metrics.freshness.problem} retry={metrics.reload} />
      <ul class="instance-rows">
        {consumers.map(({ name, lag }) => (
          <li key={name}>
            <code>{name}</code>
            <Sparkline values={history[name] ?? []} />
            <span class="soft">{lag ? word('consumers.behind', { lag: formatNumber(lag) }) : word('consumers.current')}</span>
          </li>
        ))}
      </ul>
      <h3>{word('queues.title')}</h3>
      <QueueList metrics={metrics.data ?? ''} />
    </section>
  );
}
