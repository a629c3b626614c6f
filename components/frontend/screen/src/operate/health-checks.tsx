// The readiness checks of the host, with the cause of each failure.

import { readHealth } from '../api/operations';
import { useLive } from '../live/use-live';
import { FreshnessNote } from '../parts/freshness';
import { Icon } from '../parts/icon';
import { ProblemNotice } from '../parts/problem-notice';
import { word } from '../words';

export function HealthChecks() {
  const health = useLive('health', readHealth, { polled: true });
  const failing = health.data?.filter(({ cause }) => cause !== undefined) ?? [];
  const isReady = health.data !== undefined && failing.length === 0;
  return (
    <section class="card health-checks" aria-labelledby="health-title">
      <div class="card-head">
        <h2 id="health-title">{word('health.title')}</h2>
        <FreshnessNote freshness={health.freshness} />
      </div>
      {health.freshness.problem && <ProblemNotice problem={health.freshness.problem} retry={health.reload} />}
      {health.data && (
        <>
          <p class="verdict" data-tone={isReady ? 'good' : 'bad'} role="status">
            <Icon name={isReady ? 'check' : 'alert'} />
            {isReady ? word('health.ready') : word('health.unready', { count: failing.length })}
          </p>
          <ul class="checks">
            {failing.map(({ name, cause }) => (
              <li key={name} data-tone="bad">
                <Icon name="alert" />
                <span>
                  <code>{name}</code> {cause}
                </span>
              </li>
            ))}
          </ul>
          <details>
            <summary>{word('health.checks', { count: health.data.length })}</summary>
            <ul class="checks">
              {health.data.map(({ name, cause }) => (
                <li key={name} data-tone={cause === undefined ? 'good' : 'bad'}>
                  <Icon name={cause === undefined ? 'check' : 'alert'} />
                  <code>{name}</code>
                </li>
              ))}
            </ul>
          </details>
        </>
      )}
    </section>
  );
}
