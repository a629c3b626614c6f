// The cars as tiles, in groups by status. Cars without a tile are counted.

import type { CarView } from '../api/resources';
import { formatNumber } from '../format';
import { linkTo } from '../route';
import { word } from '../words';
import type { Figures } from './summary';

const GROUPS = ['reserved', 'available'] as const;

export function Tiles({ cars, figures }: { cars: CarView[]; figures: Figures | undefined }) {
  return (
    <>
      {GROUPS.map((status) => (
        <Group key={status} status={status} cars={cars.filter(({ carStatus }) => carStatus === status)} total={figures?.[status]} />
      ))}
    </>
  );
}

function Group({ status, cars, total = cars.length }: { status: (typeof GROUPS)[number]; cars: CarView[]; total: number | undefined }) {
  const rest = total - cars.length;
  return (
    <section class="tile-group" data-status={status}>
      <h2>
        {word(`carStatus.${status}`)} <span class="count">{formatNumber(total)}</span>
      </h2>
      <ul class="tiles">
        {cars.map((car) => (
          <li key={car.carId}>
            <a class="tile" href={linkTo('fleet', { display: 'table', car: car.carId })} data-car-id={car.carId} data-status={car.rsvStatus?.startsWith('req') ? car.rsvStatus : status} title={car.carName}>
              <span class="number">{car.carId}</span>{' '}
              <span class="car-name">{car.carName}</span>
            </a>
          </li>
        ))}
        {rest > 0 && (
          <li>
            <a class="tile rest" href={linkTo('fleet', { display: 'table', status })}>
              {word('wall.rest', { count: formatNumber(rest) })}
            </a>
          </li>
        )}
      </ul>
    </section>
  );
}
