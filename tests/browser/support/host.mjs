// The test that runs this script, which stops and starts the host of the platform.

import { createInterface } from 'node:readline';

/** Asks for something, and waits until it is done. */
export async function askForHost(what) {
  console.log(`HOST ${what}`);
  process.stdin.ref();
  const lines = createInterface({ input: process.stdin });
  const { done, value } = await lines[Symbol.asyncIterator]().next();
  // An input that is read would keep the script alive after its last step.
  lines.close();
  process.stdin.unref();
  if (done || value !== 'done') throw new Error(`the test did not ${what} the host: ${value}`);
}
