// The revenue of each of the last 24 hours, as bars. Each bar says its hour and amount to screen readers.

import { max, sum, ticks } from 'd3-array';
import type { RevenueHour } from '../api/resources';
import { formatAmount, formatHour, formatShortAmount } from '../format';
import { Icon } from '../parts/icon';
import { word } from '../words';

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [480, 180, 54, 20];

export function RevenueChart({ hours }: { hours: RevenueHour[] }) {
  const greatest = max(hours, ({ amount }) => amount) || 1;
  const step = (WIDTH - LEFT) / Math.max(1, hours.length);
  const y = (amount: number) => (HEIGHT - BOTTOM) * (1 - amount / (greatest * 1.05));
  return (
    <section class="card wall-revenue" aria-labelledby="wall-revenue">
      <h2 id="wall-revenue">
        <Icon name="receipt" />
        {word('wall.revenue')}
        <span class="soft">{word('wall.revenue.day', { amount: formatAmount(sum(hours, ({ amount }) => amount)) })}</span>
      </h2>
      <svg class="bars" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="list" aria-labelledby="wall-revenue">
        <g aria-hidden="true">
          {ticks(0, greatest, 3).map((amount) => (
            <g key={amount} transform={`translate(0 ${y(amount)})`}>
              <line x1={LEFT} x2={WIDTH} />
              <text x={LEFT - 6} dy="0.32em" text-anchor="end">
                {formatShortAmount(amount)}
              </text>
            </g>
          ))}
        </g>
        {hours.map(({ hour, amount, payments }, index) => (
          <g key={hour} role="listitem" aria-label={word('wall.revenue.of', { hour: formatHour(hour), amount: formatAmount(amount), payments })}>
            <rect class="bar" data-now={index === hours.length - 1} x={LEFT + index * step + step * 0.15} width={step * 0.7} y={y(amount)} height={Math.max(0, HEIGHT - BOTTOM - y(amount))} rx="2">
              <title>{word('wall.revenue.of', { hour: formatHour(hour), amount: formatAmount(amount), payments })}</title>
            </rect>
            {index % 6 === 5 && (
              <text x={LEFT + (index + 0.5) * step} y={HEIGHT - 4} text-anchor="middle" aria-hidden="true">
                {formatHour(hour)}
              </text>
            )}
          </g>
        ))}
      </svg>
    </section>
  );
}
