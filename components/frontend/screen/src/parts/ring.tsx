// A share as a ring that fills clockwise.

import { arc } from 'd3-shape';

const FULL = 2 * Math.PI;
const ring = arc<number>()
  .innerRadius(40)
  .outerRadius(50)
  .cornerRadius(5)
  .startAngle(0)
  .endAngle((share) => FULL * Math.min(1, Math.max(0, share)));

export const Ring = ({ share, label, text }: { share: number; label: string; text: string }) => (
  <div class="ring">
    <svg viewBox="-50 -50 100 100" role="img" aria-label={`${label} ${text}`}>
      <path class="ring-track" d={ring(1) ?? ''} />
      {share > 0 && <path class="ring-share" d={ring(share) ?? ''} />}
    </svg>
    <p aria-hidden="true">
      <strong>{text}</strong>
      <span>{label}</span>
    </p>
  </div>
);
