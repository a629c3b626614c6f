// Whether the data on the screen are live, and of which time they are.

import type { Freshness } from '../live/poller';
import { formatTime } from '../format';
import { word, type Word } from '../words';

export function FreshnessNote({ freshness: { state, seconds = 0, asOf } }: { freshness: Freshness }) {
  return (
    <div class="freshness" data-state={state}>
      <span class="pulse" role="status">
        {word(`freshness.${state}` as Word, { seconds })}
      </span>
      {asOf !== undefined && <time dateTime={new Date(asOf).toISOString()}>{word('asOf', { time: formatTime(asOf) })}</time>}
    </div>
  );
}
