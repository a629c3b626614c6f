// The calls that run and wait at each component, and the concurrency limit that the host has adapted.

import { formatNumber } from '../format';
import { Sparkline } from '../parts/sparkline';
import { word } from '../words';
import { samplesOf } from './metrics';
import { useSamples } from './use-samples';

export function QueueList({ metrics }: { metrics: string }) {
  const running = byName(metrics, 'socar_calls_running');
  const waiting = byName(metrics, 'socar_calls_waiting');
  const limits = byName(metrics, 'socar_concurrency_limit');
  const history = useSamples(metrics, Object.fromEntries(running));
  return (
    <ul class="instance-rows">
      {[...running].map(([name, calls]) => (
        <li key={name}>
          <code>{name}</code>
          <Sparkline values={history[name] ?? []} />
          <span class="soft numbers">{word('queues.of', { running: formatNumber(calls), waiting: formatNumber(waiting.get(name) ?? 0), limit: formatNumber(limits.get(name) ?? 0) })}</span>
        </li>
      ))}
    </ul>
  );
}

const byName = (metrics: string, metric: string) => new Map(samplesOf(metrics, metric).map(({ labels, value }) => [labels.component ?? labels.link ?? '', value]));
