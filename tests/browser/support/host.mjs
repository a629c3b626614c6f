// The test that runs this script, which stops and starts the host of the platform.

import { createInterface } from 'node:readline';

let lines;

/** Asks for something, and waits until it is done. */
export async function askForHost(what) {
  lines ??= createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  console.log(`HOST ${what}`);
  const { done, value } = await lines.next();
  if (done || value !== 'done') throw new Error(`the test did not ${what} the host: ${value}`);
}
