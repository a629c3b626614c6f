// An operator finds a reservation, reads its saga, follows the events, and steers the host.

import { uniqueName } from '../support/api.mjs';
import { eventually, expect, step } from '../support/steps.mjs';

const TEXTS = {
  ko: {
    title: '운영', trace: '예약 추적', events: '이벤트', letters: '배달 실패', faults: '장애 주입', kind: '번호의 종류', number: '예약, 차량, 결제 번호', find: '찾기', ready: '모두 정상입니다', paused: '계속', pause: '멈춤',
    needs: '이 화면을 쓰려면', open: /^차단기 열기/, openYes: '연결 끊기', reset: /^차단기 되돌리기/, forced: '강제 열림', closed: '닫힘', all: '모두 고르기', redrive: '다시 배달', discard: '버리기', none: '배달에 실패한 이벤트가 없습니다', inject: '주입', end: '끝내기', ends: /^(\d+)초 뒤에 끝남$/,
  },
  en: {
    title: 'Operate', trace: 'Reservations', events: 'Events', letters: 'Dead letters', faults: 'Fault injection', kind: 'Kind of number', number: 'Reservation, car or payment number', find: 'Find', ready: 'Everything is ready', paused: 'Resume', pause: 'Pause',
    needs: 'What this view needs', open: /^Force open/, openYes: 'Cut the link', reset: /^Reset/, forced: 'Forced open', closed: 'Closed', all: 'Select all', redrive: 'Redrive', discard: 'Discard', none: 'There are no dead letters', inject: 'Inject', end: 'End', ends: /^ends in (\d+) s$/,
  },
};

export async function operate(browser, url, api, language) {
  const text = TEXTS[language];
  const page = await browser.page({ language });
  const { carId } = await api.register(uniqueName('운영 시험'));
  const { rsvId, payId } = await api.reserve(carId);
  const main = page.locator('main');

  await step(`${language}: the operator sees that the host is ready`, async () => {
    await page.goto(new URL('/?view=operate', url).href);
    await page.getByRole('heading', { level: 1, name: text.title }).waitFor();
    await page.getByText(text.ready).waitFor();
  });

  await step(`${language}: a reservation is found by its number, its car and its payment`, async () => {
    await main.getByRole('link', { name: text.trace }).click();
    for (const [kind, number] of [['car', carId], ['pay', payId], ['rsv', rsvId]]) {
      await page.getByLabel(text.kind).selectOption(kind);
      await page.getByRole('searchbox', { name: text.number }).fill(String(number));
      await page.getByRole('button', { name: text.find }).click();
      await page.waitForURL(new RegExp(`kind=${kind}`));
      await page.locator(`.link-rows a[href*="rsv=${rsvId}"]`).waitFor();
    }
  });

  await step(`${language}: its saga grows by a step as it happens`, async () => {
    await page.locator('.timeline li[data-status="reserved"]').waitFor();
    await page.locator('.freshness[data-state="live"]').first().waitFor();
    await api.cancel(rsvId);
    await page.locator('.timeline li[data-status="cancelled"]').waitFor();
    expect((await page.locator('.timeline li').count()) === 4, 'a saga with a cancellation has four steps');
    await page.locator('.saga .event-rows li').nth(1).waitFor();
  });

  await step(`${language}: a reservation is found by the request that changed it`, async () => {
    const cause = await page.locator('.timeline li[data-status="reqCancel"] code').textContent();
    await page.getByLabel(text.kind).selectOption('request');
    await page.getByRole('searchbox', { name: text.number }).fill(cause.split(' ').at(-1));
    await page.getByRole('button', { name: text.find }).click();
    await page.waitForURL(/kind=request/);
    await page.locator(`.link-rows a[href*="rsv=${rsvId}"]`).waitFor();
    await eventually('no other reservation', async () => (await page.locator('.link-rows a').count()) === 1);
  });

  await step(`${language}: events arrive, are filtered, and wait while the list is paused`, async () => {
    await main.getByRole('link', { name: text.events, exact: true }).click();
    await page.locator('tr[data-event="ReservationCancelled"]').first().waitFor();
    await main.getByRole('combobox').selectOption('PaymentCancelled');
    await page.locator('tr[data-event="ReservationCancelled"]').first().waitFor({ state: 'detached' });
    await page.getByRole('searchbox').fill(String(payId));
    await page.locator('tr[data-event="PaymentCancelled"]').first().waitFor();
    await page.getByRole('button', { name: text.pause }).click();
    await api.change(carId, { amount: 1 });
    await page.getByText(/^(새 이벤트 \d+건|\d+ new events)$/).waitFor();
    await page.getByRole('button', { name: text.paused }).click();
  });

  if (await api.offers('/operations/breakers')) await links(page, url, api, text, language);
  else
    await step(`${language}: without operations, the view says what it needs`, async () => {
      await page.goto(new URL('/?view=operate', url).href);
      await page.getByText(text.needs).first().waitFor();
    });

  await stubbed(browser, url, text, language);
  await page.context().close();
}

/** The breakers of the host itself. */
async function links(page, url, api, text, language) {
  await step(`${language}: a link is cut and restored`, async () => {
    await api.call('GET', '/messages');
    await page.goto(new URL('/?view=operate', url).href);
    const link = page.locator('tr[data-link$="message"]').filter({ has: page.getByRole('button', { name: text.open }) }).first();
    const name = await link.getAttribute('data-link');
    const row = page.locator(`tr[data-link="${name}"]`);
    await row.getByRole('button', { name: text.open }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: text.openYes }).click();
    await row.getByText(text.forced).waitFor();
    await row.getByRole('button', { name: text.reset }).click();
    await row.getByText(text.closed, { exact: true }).waitFor();
    return name;
  });
}

/** Dead letters and faults are rare: these responses of the host are stand-ins. */
async function stubbed(browser, url, text, language) {
  const page = await browser.page({ language });
  let letters = [1, 2, 3].map((number) => ({
    id: `179545812078${number}-0`, parked_at: Date.now(), group: 'message', stream: 'socar.reservation', entry: `${number}-0`, attempts: 10, error: 'component `message` failed',
    event: JSON.stringify({ type: 'ReservationConfirmed', subject: `reservation/${number}`, data: { rsvId: number, carId: number } }),
  }));
  let faults = [];
  let faultEnds = 0;
  const handled = [];
  await page.route('**/operations/**', async (route) => {
    const request = route.request();
    const path = new URL(request.url()).pathname.slice('/operations/'.length);
    const [, id] = /^dead-letters\/([^/]+)/.exec(path) ?? [];
    if (id) {
      handled.push(`${request.method()} ${path}`);
      letters = letters.filter((letter) => letter.id !== id);
    }
    // It has been active for a while when the page first sees it.
    if (path === 'chaos' && request.method() === 'POST') [faults, faultEnds] = [[{ id: 1, ...request.postDataJSON() }], Date.now() + 12_000];
    if (path === 'chaos/1') faults = [];
    const experiments = faults.map((fault) => ({ ...fault, remaining_ms: faultEnds - Date.now() }));
    const bodies = { 'dead-letters': { letters, next: null }, chaos: { experiments } };
    await route.fulfill({ json: bodies[path] ?? {} });
  });

  await step(`${language}: dead letters are delivered again and discarded, many at once`, async () => {
    await page.goto(new URL('/?view=operate&tab=dead-letters', url).href);
    const rows = page.locator('.letter-rows li');
    await rows.nth(2).waitFor();
    await rows.first().getByRole('checkbox').check();
    await page.getByRole('button', { name: text.redrive }).click();
    await eventually('two letters are left', async () => (await rows.count()) === 2);
    await page.getByLabel(text.all).check();
    await page.getByRole('button', { name: text.discard }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: text.discard }).click();
    await page.getByText(text.none).waitFor();
    expect(handled.length === 3 && handled[0].startsWith('POST') && handled[2].startsWith('DELETE'), handled.join(', '));
  });

  await step(`${language}: a fault is injected with a countdown, and ended`, async () => {
    await page.goto(new URL('/?view=operate&tab=faults', url).href);
    await page.getByRole('button', { name: text.inject, exact: true }).click();
    const left = async () => Number(text.ends.exec(await page.getByText(text.ends).textContent())[1]);
    const first = await left();
    expect(first > 5 && first <= 12, `${first} s are left of 12`);
    await eventually('the countdown goes on', async () => (await left()) <= first - 3);
    await page.getByRole('button', { name: text.end, exact: true }).click();
    await page.locator('.fault-rows li').waitFor({ state: 'detached' });
  });
  await page.context().close();
}
