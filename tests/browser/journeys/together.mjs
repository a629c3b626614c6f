// Several browsers at once: live changes, polling without the stream, old data, offline and back.

import { uniqueName } from '../support/api.mjs';
import { expect, step } from '../support/steps.mjs';

export async function together(browser, url, api) {
  const carName = uniqueName('함께 보는 차');
  const { carId } = await api.register(carName);
  const table = new URL(`/?view=fleet&display=table&q=${encodeURIComponent(carName)}`, url).href;
  const rowIn = (page) => page.locator(`tr[data-car-id="${carId}"]`);
  const stateIn = (page, state) => page.locator(`.table-note [data-state="${state}"]`);
  const open = async () => {
    const page = await browser.page();
    await page.goto(table);
    await rowIn(page).waitFor();
    return page;
  };
  const page = await open();

  await step('the list says that it is live, and of when it is', async () => {
    await stateIn(page, 'live').waitFor();
    expect(/\d+:\d{2}:\d{2} 기준$/.test(await page.locator('.table-note time').textContent()), 'the list does not say of when it is');
  });

  await step('a second browser sees a change within a second', async () => {
    const colleague = await open();
    await stateIn(colleague, 'live').waitFor();
    const delays = [];
    for (const amount of [62_000, 63_000, 64_000]) {
      await api.change(carId, { amount });
      const since = Date.now();
      await rowIn(colleague).getByText(amount.toLocaleString('en')).waitFor();
      delays.push(Date.now() - since);
    }
    // A busy machine may delay one of them.
    expect(Math.min(...delays) < 1_000 && Math.max(...delays) < 5_000, `it took ${delays.join(', ')} ms`);
    await colleague.context().close();
    return `${delays.join(', ')} ms`;
  });

  await step('what is changed in one browser is seen in the other within a second', async () => {
    const colleague = await browser.page();
    await colleague.goto(`${table}&car=${carId}`);
    const delays = [];
    for (const amount of [71_000, 72_000, 73_000]) {
      await colleague.locator('.car-page').getByRole('button', { name: '수정' }).click();
      await colleague.getByRole('dialog').getByLabel('요금', { exact: true }).fill(String(amount));
      const seen = rowIn(page).getByText(amount.toLocaleString('en')).waitFor().then(() => Date.now());
      const since = Date.now();
      await colleague.getByRole('dialog').getByRole('button', { name: '저장하기' }).click();
      delays.push((await seen) - since);
      await colleague.getByRole('dialog').waitFor({ state: 'detached' });
    }
    expect(Math.min(...delays) < 1_000 && Math.max(...delays) < 5_000, `it took ${delays.join(', ')} ms`);
    await colleague.context().close();
    return `${delays.join(', ')} ms`;
  });

  await step('a customer books on a phone, and the company sees it', async () => {
    const phone = await browser.page({ viewport: { width: 390, height: 844 } });
    await phone.goto(new URL(`/?view=book&car=${carId}`, url).href);
    await phone.getByRole('button', { name: /결제하고 예약하기/ }).click();
    await rowIn(page).locator('[data-status="paid"]').waitFor();
    await phone.getByRole('button', { name: '예약 취소' }).click();
    await phone.getByRole('alertdialog').getByRole('button', { name: '예약 취소하기' }).click();
    await rowIn(page).locator('[data-column="payId"] [data-status="cancelled"]').waitFor();
    await phone.context().close();
  });

  await step('without the live stream, the list is polled and says so', async () => {
    const polling = await browser.page();
    await polling.route('**/carviews/stream', (route) => route.fulfill({ status: 404, contentType: 'application/problem+json', body: '{}' }));
    await polling.goto(table);
    await stateIn(polling, 'polling').waitFor();
    await api.change(carId, { amount: 65_000 });
    await rowIn(polling).getByText('65,000').waitFor();
    await polling.waitForResponse((response) => response.url().includes('/carviews?') && response.status() === 304);
    // The page of the car would otherwise say that nothing has happened.
    await rowIn(polling).getByRole('link').first().click();
    await polling.locator('.car-page').getByText('실시간 연결이 없어').waitFor();
    await polling.context().close();
  });

  await step('old data are not called live', async () => {
    const old = { age: '40', warning: '110 socar "Response is Stale"' };
    await page.route('**/carviews?**', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), ...old } });
    });
    await api.change(carId, { amount: 66_000 });
    await stateIn(page, 'stale').waitFor();
    await page.unroute('**/carviews?**');
    await stateIn(page, 'live').waitFor();
  });

  await step('a browser that loses its connection says so, and catches up', async () => {
    await page.context().setOffline(true);
    await page.locator('.offline:not([hidden])').waitFor();
    await stateIn(page, 'failing').waitFor();
    await api.change(carId, { amount: 67_000 });
    await page.context().setOffline(false);
    await rowIn(page).getByText('67,000').waitFor();
    await stateIn(page, 'live').waitFor();
  });

  await step('a page that is left and opened again by Back is restored by the browser, and is live', async () => {
    await page.evaluate(() => addEventListener('pageshow', ({ persisted }) => (globalThis.isRestored = persisted)));
    await page.goto(new URL('/docs', url).href);
    await page.getByRole('heading', { name: 'Operations' }).waitFor();
    // A page that is restored is not loaded.
    await page.goBack({ waitUntil: 'commit' });
    await stateIn(page, 'live').waitFor();
    await api.change(carId, { amount: 68_000 });
    await rowIn(page).getByText('68,000').waitFor();
    const reasons = await page.evaluate(() => !globalThis.isRestored && JSON.stringify(performance.getEntriesByType('navigation')[0].notRestoredReasons ?? 'no reason'));
    expect(!reasons, `the page was loaded again: ${reasons}`);
  });

  await step('a chosen language and colour mode are kept', async () => {
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('heading', { level: 1, name: 'Fleet' }).waitFor();
    const left = await page.locator('.pill, thead th, button, label').evaluateAll((all) => all.filter((each) => each.lang !== 'ko').map((each) => each.textContent).filter((text) => /[가-힣]/.test(text)));
    expect(left.length === 0, `still Korean: ${left.join(', ')}`);
    await page.getByLabel('Colour mode').selectOption('dark');
    await page.reload();
    await page.getByRole('heading', { level: 1, name: 'Fleet' }).waitFor();
    expect((await page.locator('html').getAttribute('data-theme')) === 'dark', 'the colour mode is gone');
  });

  await page.context().close();
}
