// The last values of a figure as a small line. Its meaning is in the text beside it.

import { max } from 'd3-array';
import { area, line } from 'd3-shape';

const [WIDTH, HEIGHT, POINTS] = [120, 28, 60];

export function Sparkline({ values }: { values: readonly number[] }) {
  const greatest = max(values) || 1;
  const x = (_: number, index: number) => WIDTH - ((values.length - 1 - index) * WIDTH) / (POINTS - 1);
  const y = (value: number) => HEIGHT - 2 - (value / greatest) * (HEIGHT - 4);
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" preserveAspectRatio="none">
      <path class="spark-area" d={area<number>().x(x).y0(HEIGHT).y1(y)([...values]) ?? ''} />
      <path class="spark-line" d={line<number>().x(x).y(y)([...values]) ?? ''} />
    </svg>
  );
}
