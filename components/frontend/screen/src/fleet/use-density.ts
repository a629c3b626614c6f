// How much a tile shows, so that all tiles fit on the display.

import { useEffect, useState } from 'preact/hooks';

export type Density = 'both' | 'name' | 'number';

/** The width and the height of a tile with its gap, in rem, from the largest tile to the smallest. */
const TILES: [density: Density, width: number, height: number][] = [
  ['both', 8.2, 4.1],
  ['name', 8.2, 3.3],
];

/** The largest tile of which as many fit as there are cars; the smallest one if none does. */
export function useDensity(count: number): Density {
  const [area, setArea] = useState(measure);
  useEffect(() => {
    const update = () => setArea(measure());
    addEventListener('resize', update);
    return () => removeEventListener('resize', update);
  }, []);
  const fits = TILES.find(([, width, height]) => count <= Math.floor(area.width / width) * Math.floor(area.height / height));
  return fits?.[0] ?? 'number';
}

/** The part of the window that is left to the tiles, in rem. A narrow window scrolls: three screens are enough. */
function measure(): { width: number; height: number } {
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const [width, height] = [innerWidth / rem, innerHeight / rem];
  return width > 56 ? { width: width * 0.7 - 4, height: height - 25 } : { width: width - 4, height: height * 3 };
}
