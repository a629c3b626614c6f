// The steps of the journeys: each prints one line, and the first that fails ends the run.

let current = 'start';

export async function step(name, work) {
  current = name;
  const note = await work();
  console.log(`ok  ${name}${note ? ` (${note})` : ''}`);
}

export const currentStep = () => current;

export function expect(condition, otherwise) {
  if (!condition) throw new Error(otherwise);
}

/** Waits until `probe` returns something, and returns it. */
export async function eventually(what, probe, timeout = 30_000) {
  const end = Date.now() + timeout;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
