// The wall: the state of the whole fleet for a large display.

import { listMessages, listViews, type CarView } from '../api/resources';
import { formatClock, formatDay, formatNumber, formatShare } from '../format';
import { useLive } from '../live/use-live';
import { FreshnessNote } from '../parts/freshness';
import { EmptyNote } from '../parts/empty-note';
import { Icon } from '../parts/icon';
import { MessageList } from '../parts/message-list';
import { ProblemNotice } from '../parts/problem-notice';
import { Ring } from '../parts/ring';
import { StatusPill } from '../parts/status-pill';
import { linkTo } from '../route';
import { word } from '../words';
import { RevenueChart } from './revenue-chart';
import { loadFigures, type Figures } from './summary';
import { Tiles } from './tiles';
import { useDensity } from './use-density';

/** Number of cars with a tile: those with the latest reservations. */
const TILES = 240;

export function Wall() {
  const figures = useLive('figures', loadFigures);
  const cars = useLive('tiles', (signal) => listViews({ size: TILES, sort: 'rsvId,desc' }, signal));
  const messages = useLive('messages', (signal) => listMessages({ size: 12, sort: 'msgId,desc' }, signal), { followsLater: true });
  const density = useDensity(cars.data?.rows.length ?? 0);
  const { data } = figures;
  return (
    <div class="wall">
      {figures.freshness.problem && <ProblemNotice problem={figures.freshness.problem} retry={figures.reload} />}
      <section class="wall-figures card" aria-label={word('figures')}>
        <Ring share={data?.utilisation ?? 0} label={word('figures.utilisation')} text={data ? formatShare(data.utilisation) : '–'} />
        <dl>
          <Figure name={word('figures.total')} value={data?.cars} />
          <Figure name={word('figures.available')} value={data?.available} tone="good" />
          <Figure name={word('figures.reserved')} value={data?.reserved} tone="accent" />
        </dl>
      </section>
      <section class="wall-clock card" aria-label={word('wall.clock')}>
        <Clock freshness={figures.freshness} />
      </section>
      <section class="wall-tiles card" aria-label={word('wall.tiles')} data-density={density}>
        {data?.cars === 0 ? <EmptyNote title={word('fleet.empty')} text={word('fleet.empty.help')} /> : <Tiles cars={cars.data?.rows ?? []} figures={data} />}
      </section>
      <div class="wall-side">
        <Attention cars={data?.attention} />
        {data?.revenue && <RevenueChart hours={data.revenue} />}
        <section class="card wall-messages" aria-labelledby="wall-messages">
          <h2 id="wall-messages">
            <Icon name="message" />
            {word('wall.messages')}
          </h2>
          {messages.data?.rows.length === 0 ? <p class="soft">{word('rsv.messages.none')}</p> : <MessageList messages={messages.data?.rows ?? []} />}
        </section>
      </div>
    </div>
  );
}

const Figure = ({ name, value, tone }: { name: string; value: number | undefined; tone?: string }) => (
  <div data-tone={tone}>
    <dt>{name}</dt>
    <dd>{value === undefined ? '–' : formatNumber(value)}</dd>
  </div>
);

/** The time of the data, not of the display: a wall that is not refreshed shows it. */
function Clock({ freshness }: { freshness: Parameters<typeof FreshnessNote>[0]['freshness'] }) {
  const { asOf } = freshness;
  return (
    <>
      <p class="clock">{asOf === undefined ? '–' : formatClock(asOf)}</p>
      <p class="soft">{asOf === undefined ? '' : formatDay(asOf)}</p>
      <FreshnessNote freshness={freshness} />
      <button type="button" class="quiet full" onClick={() => void (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen())}>
        {word('wall.full')}
      </button>
    </>
  );
}

function Attention({ cars }: { cars: Figures['attention'] | undefined }) {
  return (
    <section class="card wall-attention" data-empty={!cars?.length} aria-labelledby="wall-attention">
      <h2 id="wall-attention">
        <Icon name={cars?.length ? 'alert' : 'check'} />
        {word('wall.attention')}
      </h2>
      {cars?.length ? (
        <ul>
          {cars.slice(0, 8).map((car) => (
            <AttentionRow key={car.carId} car={car} />
          ))}
        </ul>
      ) : (
        <p class="soft">{cars && word('wall.attention.none')}</p>
      )}
    </section>
  );
}

const AttentionRow = ({ car }: { car: CarView }) => (
  <li>
    <a href={linkTo('fleet', { display: 'table', car: car.carId })}>
      <span class="number">{car.carId}</span>
      <span class="car-name">{car.carName}</span>
      <StatusPill kind="rsvStatus" status={car.rsvStatus ?? ''} />
    </a>
  </li>
);
