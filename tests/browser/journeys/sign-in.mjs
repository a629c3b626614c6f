// A user of a platform with an identity: signs in, works, and leaves nothing behind.

import { uniqueName } from '../support/api.mjs';
import { expect, step } from '../support/steps.mjs';

export async function signIn(browser, url, token) {
  const page = await browser.page();
  const form = page.locator('.sign-in form');
  const carName = uniqueName('로그인 시험');

  await step('the page asks who the user is', async () => {
    await page.goto(url);
    await form.waitFor();
  });

  const hasRoles = (await form.getByRole('radio').count()) > 0;
  await step('the page shows the fleet to a user who has signed in', async () => {
    if (hasRoles) {
      // Another machine gets no token by name, and its users enter one.
      await page.route('**/identity/token', (route) => route.fulfill({ status: 404, contentType: 'application/problem+json', body: '{}' }));
      await form.getByRole('radio', { name: /차량 회사/ }).check();
      await form.getByLabel('이름').fill('company');
      await form.getByRole('button', { name: '로그인' }).click();
    }
    await form.getByLabel('액세스 토큰').fill(token);
    await form.getByRole('button', { name: '로그인' }).click();
    await page.getByRole('heading', { level: 1, name: '차량 현황' }).waitFor();
    await form.waitFor({ state: 'detached' });
  });

  await step('the user hears changes, although the stream needs a token', async () => {
    await page.locator('.wall-clock [data-state="live"]').waitFor();
  });

  await step('the user registers a car', async () => {
    await page.locator('main').getByRole('link', { name: '목록' }).click();
    await page.locator('main').getByRole('link', { name: '차량 등록' }).click();
    await page.getByRole('dialog').getByLabel(/^차량 이름/).fill(carName);
    await page.keyboard.press('Enter');
    await page.getByRole('row').filter({ hasText: carName }).waitFor();
    await page.keyboard.press('Escape');
  });

  await step('the page keeps no token', async () => {
    const kept = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie]));
    expect(!/eyJ/.test(kept), 'the browser keeps the token');
    await page.reload();
    await form.waitFor();
  });
  await page.context().close();
  if (hasRoles) await roles(browser, url, carName);
}

/** What the other roles see first. */
async function roles(browser, url, carName) {
  const enter = async (role, name) => {
    const page = await browser.page();
    await page.goto(url);
    await page.locator('.sign-in').getByRole('radio', { name: role }).check();
    await page.locator('.sign-in').getByLabel('이름').fill(name);
    await page.locator('.sign-in').getByRole('button', { name: '로그인' }).click();
    return page;
  };
  const customer = await enter(/고객/, 'alice');

  await step('a customer sees the view Book alone, and books a car', async () => {
    await customer.getByRole('heading', { level: 1, name: '어떤 차를 타시겠어요?' }).waitFor();
    expect((await customer.locator('.views a').count()) === 1, 'the customer sees views of others');
    await customer.getByRole('link', { name: carName }).click();
    await customer.getByRole('button', { name: '무료로 예약하기' }).click();
    await customer.getByRole('heading', { level: 1, name: '예약이 완료되었어요' }).waitFor();
    await customer.getByRole('link', { name: '내 예약' }).first().click();
    await customer.locator('.reservation-list a').filter({ hasText: carName }).waitFor();
  });

  await step('another customer does not see the reservation', async () => {
    const other = await enter(/고객/, 'bob');
    await other.getByRole('link', { name: '내 예약' }).click();
    await other.getByText('아직 예약이 없습니다').waitFor();
    await other.context().close();
  });

  await step('an operator begins with the health of the host', async () => {
    const operator = await enter(/운영자/, 'olga');
    await operator.getByRole('heading', { level: 1, name: '운영' }).waitFor();
    await operator.locator('tr[data-link]').first().waitFor();
    await operator.context().close();
  });
  await customer.context().close();
}
