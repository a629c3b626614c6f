// A host that is killed and started again: the page says that its data are old, recovers, and gets every event once.
//
// The test in Rust kills and starts the host, and compares the events that the page got with the event log.

import { uniqueName } from '../support/api.mjs';
import { askForHost } from '../support/host.mjs';
import { expect, step } from '../support/steps.mjs';

export async function restart(browser, url, api) {
  const page = await browser.page();
  await page.addInitScript(recordStream);
  const row = (name) => page.locator('tbody tr').filter({ hasText: name });
  const state = (name) => page.locator(`.table-note [data-state="${name}"]`);
  const names = ['before', 'missed', 'later'].map(uniqueName);

  await step('the list is live before any event', async () => {
    await page.goto(new URL('/?view=fleet&display=table', url).href);
    await state('live').waitFor();
    await page.waitForFunction(() => globalThis.streams === 1);
    const { carId } = await api.register(names[0]);
    await row(names[0]).waitFor();
    await api.reserve(carId);
    await row(names[0]).locator('[data-status="paid"]').waitFor();
  });

  let asOf;
  await step('the host is killed: the page says so, keeps its data, and says of when they are', async () => {
    asOf = await page.locator('.table-note time').getAttribute('datetime');
    await askForHost('kill');
    await state('failing').waitFor();
    await page.locator('.notice').first().waitFor();
    expect(await row(names[0]).isVisible(), 'the data are gone');
    const now = await page.locator('.table-note time').getAttribute('datetime');
    // The last poll may have ended just before the kill.
    expect(Date.parse(now) - Date.parse(asOf) < 20_000, `the data are of ${asOf} and called of ${now}`);
    const [text] = await page.locator('.table-note .pulse').allTextContents();
    return text;
  });

  await step('the host is started again: the page recovers by itself and shows what it has missed', async () => {
    await askForHost('start');
    await api.register(names[1]);
    await row(names[1]).waitFor();
    await state('live').waitFor();
    await page.locator('.notice').first().waitFor({ state: 'detached' });
  });

  await step('the stream is resumed', async () => {
    await page.waitForFunction(() => globalThis.streams >= 2);
    await api.register(names[2]);
    await row(names[2]).waitFor();
    await page.waitForFunction((name) => globalThis.streamed.some(({ data }) => data.carName === name), names[2]);
    const resumed = await page.evaluate(() => globalThis.positions.at(-1));
    expect(resumed, 'the page did not send its position');
    console.log(`STREAMED ${JSON.stringify(await page.evaluate(() => globalThis.streamed))}`);
  });
  await page.context().close();
}

/** Runs in the page: records the events of all its streams, and the positions after which it asked for them. */
function recordStream() {
  Object.assign(globalThis, { streams: 0, streamed: [], positions: [] });
  const original = globalThis.fetch;
  globalThis.fetch = async (path, options) => {
    const response = await original(path, options);
    if (path !== '/carviews/stream' || !response.ok) return response;
    globalThis.streams += 1;
    globalThis.positions.push(options.headers['Last-Event-ID']);
    const [own, recorded] = response.body.tee();
    void record(recorded.pipeThrough(new TextDecoderStream()).getReader());
    return new Response(own, { status: response.status, headers: response.headers });
  };
  async function record(reader) {
    let text = '';
    for (;;) {
      const { done, value } = await reader.read().catch(() => ({ done: true }));
      if (done) return;
      const messages = (text + value).split('\n\n');
      text = messages.pop();
      for (const message of messages) {
        const data = message.split('\n').filter((line) => line.startsWith('data: '));
        if (data.length) globalThis.streamed.push(JSON.parse(data.map((line) => line.slice(6)).join('\n')));
      }
    }
  }
}
