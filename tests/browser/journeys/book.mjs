// A customer on a phone: finds a car, pays, follows the reservation, cancels it, and is refused in human words.

import { PHONE, withoutLayoutShift } from '../support/browser.mjs';
import { uniqueName } from '../support/api.mjs';
import { expect, step } from '../support/steps.mjs';

const TEXTS = {
  ko: {
    book: /예약하기/, pay: '₩52,000 결제하고 예약하기', booked: '예약이 완료되었어요', message: '예약이 완료 되었습니다. 차량번호 : ', cancelledMessage: '예약이 취소 되었습니다. 차량번호 : ', mine: '내 예약', confirmed: '예약 완료',
    cancel: '예약 취소', cancelYes: '예약 취소하기', cancelText: '₩52,000을(를) 전액 돌려드립니다', cancelled: '예약이 취소되었어요', returned: '돌려받은 금액',
    busy: '지금 이용하시는 분이 많습니다', countdown: /초 뒤에 자동으로 다시 시도합니다/, now: '지금 다시 시도', declined: '결제가 승인되지 않았습니다', quicker: '방금 다른 분이 먼저 예약했습니다', gone: '지금은 예약할 수 없는 차입니다', none: '아직 예약이 없습니다', noMessage: '아직 받은 메시지가 없습니다', unknown: '예약되었는지 아직 확인되지 않았습니다',
  },
  en: {
    book: /^Book/, pay: 'Pay ₩52,000 and book', booked: 'You are booked', message: undefined, cancelledMessage: undefined, mine: 'My reservations', confirmed: 'Confirmed',
    cancel: 'Cancel booking', cancelYes: 'Yes, cancel the booking', cancelText: 'you get back all of the ₩52,000', cancelled: 'Your booking is cancelled', returned: 'You got back',
    busy: 'Many people are using SOCAR', countdown: /Trying again in \d+ s/, now: 'Try now', declined: 'The payment was declined', quicker: 'Another customer was quicker', gone: 'This car cannot be booked at the moment', none: 'You have no reservations yet', noMessage: 'No message yet', unknown: 'It is not known yet whether your booking worked',
  },
};

const problem = (type, status, headers = {}) => ({
  status,
  headers: { 'content-type': 'application/problem+json', ...headers },
  body: JSON.stringify({ type: `https://socar.dev/problems/${type}`, title: 'T', status, detail: 'component `payment` exceeded its limit' }),
});

export async function book(browser, url, api, language) {
  const text = TEXTS[language];
  const page = await browser.page({ language, viewport: PHONE, hasTouch: true, isMobile: true });
  const carName = uniqueName('모바일 시험');
  const { carId } = await api.register(carName);
  const other = await api.register(`${carName} 둘`);

  await step(`${language}: a customer has no reservations yet`, async () => {
    await page.goto(new URL('/?view=book&mine=1', url).href);
    await page.getByText(text.none).waitFor();
  });

  await step(`${language}: a customer finds a car and its price`, async () => {
    await page.goto(new URL('/?view=book', url).href);
    await page.getByRole('searchbox').fill(carName);
    await page.locator(`[data-car-id="${carId}"]`).getByText('₩52,000').waitFor();
    await page.locator(`[data-car-id="${carId}"]`).click();
    await page.getByRole('heading', { level: 2, name: carName }).waitFor();
  });

  await step(`${language}: the customer pays, and sees the reservation confirmed`, async () => {
    await page.getByRole('button', { name: text.pay }).click();
    await page.getByRole('heading', { level: 1, name: text.booked }).waitFor();
    await page.locator('.steps li[data-done="false"]').first().waitFor({ state: 'detached' });
  });

  await step(`${language}: the confirmation message appears`, async () => {
    const messages = page.locator(`.messages [data-car-id="${carId}"]`);
    await messages.first().waitFor();
    if (text.message) await messages.getByText(`${text.message}${carId}`, { exact: true }).waitFor();
  });

  await step(`${language}: my reservations show it`, async () => {
    await page.getByRole('link', { name: text.mine }).first().click();
    const mine = page.locator('.reservation-list a').filter({ hasText: carName });
    await mine.getByText(text.confirmed).waitFor();
    await mine.click();
  });

  await step(`${language}: messages that are not among the newest are found`, async () => {
    await page.route('**/messages?size=100&*', async (route) => {
      // An answer without a body could not be changed.
      const { 'if-none-match': _, ...headers } = route.request().headers();
      const response = await route.fetch({ headers });
      const body = await response.json();
      for (const message of body._embedded.messages) message.rsvId += 1_000_000;
      await route.fulfill({ response, json: { ...body, page: { ...body.page, totalElements: 5000 } } });
    });
    await page.reload();
    await page.locator(`.messages [data-car-id="${carId}"]`).first().waitFor();
    expect(!(await page.getByText(text.noMessage).isVisible()), 'there is a message');
    await page.unroute('**/messages?size=100&*');
  });

  await step(`${language}: the customer cancels and is told what is returned`, async () => {
    await page.getByRole('button', { name: text.cancel }).click();
    const dialog = page.getByRole('alertdialog');
    await dialog.getByText(text.cancelText).waitFor();
    await dialog.getByRole('button', { name: text.cancelYes }).click();
    await page.getByRole('heading', { level: 1, name: text.cancelled }).waitFor();
    await page.getByText(text.returned).waitFor();
    const messages = page.locator(`.messages [data-car-id="${carId}"]`);
    await messages.nth(1).waitFor();
    if (text.cancelledMessage) await messages.getByText(`${text.cancelledMessage}${carId}`, { exact: true }).waitFor();
    expect((await messages.count()) === 2, `${await messages.count()} messages for one reservation and one cancellation`);
  });

  await step(`${language}: refusals are in human words, with a countdown and a button`, async () => {
    await page.goto(new URL(`/?view=book&car=${other.carId}`, url).href);
    const answers = [problem('overloaded', 503, { 'retry-after': '20' }), problem('payment-declined', 402), problem('car-not-available', 409)];
    await page.route('**/reservations', (route) => (route.request().method() === 'POST' && answers.length ? route.fulfill(answers.shift()) : route.continue()));
    await page.getByRole('button', { name: text.pay }).click();
    await page.getByText(text.busy).waitFor();
    await page.getByText(text.countdown).waitFor();
    await page.getByRole('button', { name: text.now }).click();
    await page.getByText(text.declined).waitFor();
    await page.getByRole('button', { name: text.pay }).click();
    await page.getByText(text.quicker).waitFor();
    const shown = await page.locator('body').innerText();
    expect(!/component|payment`|exceeded|problem|undefined/.test(shown), `internals are shown: ${shown}`);
    await page.getByRole('button', { name: text.pay }).click();
    await page.getByRole('heading', { level: 1, name: text.booked }).waitFor();
    await page.unroute('**/reservations');
  });

  await step(`${language}: a refusal is repeated by itself when its time has passed`, async () => {
    const third = await api.register(`${carName} 셋`);
    await page.goto(new URL(`/?view=book&car=${third.carId}`, url).href);
    const answers = [problem('cut-off', 503, { 'retry-after': '1' })];
    await page.route('**/reservations', (route) => (route.request().method() === 'POST' && answers.length ? route.fulfill(answers.shift()) : route.continue()));
    await page.getByRole('button', { name: text.pay }).click();
    await page.getByRole('heading', { level: 1, name: text.booked }).waitFor();
  });

  await step(`${language}: a car that another customer takes disappears, without a layout shift above it`, async () => {
    const fourth = await api.register(`${carName} 넷`);
    await page.goto(new URL(`/?view=book&car=${fourth.carId}`, url).href);
    await page.getByRole('button', { name: text.pay }).waitFor();
    await page.waitForTimeout(300);
    const { rsvId } = await api.reserve(fourth.carId);
    await page.getByText(text.gone).waitFor();
    await withoutLayoutShift(page, async () => {
      await api.cancel(rsvId);
      await page.getByRole('button', { name: text.pay }).waitFor();
    });
  });

  await step(`${language}: a payment whose answer was lost is found with its key, after a refusal, an hour and a reload`, async () => {
    const fifth = await api.register(`${carName} 다섯`);
    await page.goto(new URL(`/?view=book&car=${fifth.carId}`, url).href);
    const keys = [];
    await page.route('**/reservations', async (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      keys.push(route.request().headers()['idempotency-key']);
      if (keys.length === 2) return route.fulfill(problem('overloaded', 503, { 'retry-after': '20' }));
      if (keys.length > 2) return route.continue();
      await route.fetch();
      return route.abort('connectionreset');
    });
    await page.getByRole('button', { name: text.pay }).click();
    await page.getByRole('button', { name: text.now }).click();
    await page.getByText(text.busy).waitFor();
    await page.getByText(text.unknown).waitFor();
    await page.clock.setSystemTime(Date.now() + 3_600_000);
    await page.reload();
    await page.getByText(text.unknown).waitFor();
    await page.getByRole('button', { name: text.now }).click();
    await page.getByRole('heading', { level: 1, name: text.booked }).waitFor();
    expect(keys.length === 3 && new Set(keys).size === 1, `the keys of one payment: ${keys}`);
  });

  await page.context().close();
}
