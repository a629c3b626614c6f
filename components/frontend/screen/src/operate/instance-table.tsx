// The instances of each component: how many there are, how many are busy, and how many there may be.

import { listInstances } from '../api/operations';
import { useLive } from '../live/use-live';
import { FreshnessNote } from '../parts/freshness';
import { Sparkline } from '../parts/sparkline';
import { word } from '../words';
import { NeedsNote } from './needs-note';
import { useSamples } from './use-samples';

export function InstanceTable() {
  const instances = useLive('instances', (signal) => listInstances(signal), { polled: true });
  const components = Object.entries(instances.data?.components ?? {});
  const busy = useSamples(instances.data, Object.fromEntries(components.map(([name, counts]) => [name, counts.busy])));
  return (
    <section class="card instances" aria-labelledby="instances-title">
      <div class="card-head">
        <h2 id="instances-title">
          {word('instances.title')} {instances.data && <span class="soft">{word('instances.generation', { generation: instances.data.generation })}</span>}
        </h2>
        <FreshnessNote freshness={instances.freshness} />
      </div>
      <NeedsNote problem={instances.freshness.problem} retry={instances.reload} />
      <ul class="instance-rows">
        {components.map(([component, counts]) => (
          <li key={component}>
            <code>{component}</code>
            <Sparkline values={busy[component] ?? []} />
            <meter min={0} max={counts.max} value={counts.busy} aria-label={word('instances.of', { component, ...counts })} />
            <span class="soft numbers">{word('instances.busy', { ...counts })}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
