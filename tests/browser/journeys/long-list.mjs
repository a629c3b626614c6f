// A list of 100 000 cars: only the rows in its window exist, and scrolling, keyboard, screen readers and Back find them all.
//
// The cars are those of a stand-in for `/carviews`, because registering as many takes an hour.

import { checkAccessibility, checkWidth } from '../support/accessibility.mjs';
import { DESK, PHONE, withoutLayoutShift } from '../support/browser.mjs';
import { eventually, expect, step } from '../support/steps.mjs';

const CARS = 100_000;
/** More rows than any window shows, with those before and after it. */
const MAX_ROWS = 80;

export async function longList(browser, url) {
  const table = new URL('/?view=fleet&display=table&sort=carId,asc', url).href;
  const open = async (viewport, at = table) => {
    const page = await browser.page({ language: 'en', viewport });
    await page.route('**/carviews?**', (route) => route.fulfill({ json: answer(new URL(route.request().url()).searchParams) }));
    await page.goto(at);
    await car(page, 1).or(page.locator('tr[data-car-id]')).first().waitFor();
    return page;
  };
  const car = (page, carId) => page.locator(`tr[data-car-id="${carId}"]`);
  const rows = (page) => page.locator('.rows');
  const count = (page) => page.locator('tbody tr').count();
  const seen = (page, carId) => eventually(`car ${carId} is in the window`, () => car(page, carId).evaluate(isInWindow).catch(() => false));
  const settled = (page, number) => page.waitForURL(number === 1 ? (each) => !each.searchParams.has('page') : (each) => each.searchParams.get('page') === String(number));
  const page = await open(DESK);

  await step('a list of 100 000 cars renders the rows in its window, and says how many there are', async () => {
    expect((await count(page)) < MAX_ROWS, `${await count(page)} rows are rendered`);
    expect((await page.getByRole('table').getAttribute('aria-rowcount')) === String(CARS + 1), 'aria-rowcount');
    expect((await car(page, 1).getAttribute('aria-rowindex')) === '2', 'aria-rowindex');
    await page.locator('.range').filter({ hasText: /^1–\d+ of 100,000/ }).waitFor();
    await checkAccessibility(page, 'long list');
  });

  await step('scrolling loads what is seen and shifts nothing; far jumps load nothing on their way', async () => {
    const asked = [];
    page.on('request', (request) => request.url().includes('/carviews?') && asked.push(Number(new URL(request.url()).searchParams.get('page'))));
    await withoutLayoutShift(page, async () => {
      await rows(page).hover();
      for (let turn = 0; turn < 12; turn += 1) {
        await page.mouse.wheel(0, 700);
        await page.waitForTimeout(40);
      }
      await car(page, 160).waitFor();
    });
    asked.length = 0;
    await scrollTo(page, 50_000);
    await seen(page, 50_001);
    expect(asked.every((number) => Math.abs(number - 1_000) <= 2), `pages ${asked.join(', ')}`);
    await scrollTo(page, CARS);
    await seen(page, CARS);
    expect((await count(page)) < MAX_ROWS, `${await count(page)} rows are rendered`);
    return `${await count(page)} rows are rendered`;
  });

  await step('the page of what is seen is in the address, and a reload and Back show it again', async () => {
    await scrollTo(page, 77_777);
    await settled(page, 1_556);
    await seen(page, 77_778);
    await page.reload();
    await seen(page, 77_778);
    await page.getByRole('link', { name: 'Book', exact: true }).click();
    await rows(page).waitFor({ state: 'detached' });
    await page.goBack();
    await seen(page, 77_778);
  });

  await step('a page number leads to its page, and Back to where it was', async () => {
    await page.getByLabel('Go to page').fill('3');
    await page.keyboard.press('Enter');
    await seen(page, 101);
    await settled(page, 3);
    await page.goBack();
    await seen(page, 77_778);
    await page.goForward();
    await seen(page, 101);
  });

  await step('the arrow keys lead from car to car, beyond the window', async () => {
    await car(page, 101).getByRole('link').focus();
    for (let turn = 0; turn < 60; turn += 1) await page.keyboard.press('ArrowDown');
    await eventually('the focus is on car 161', () => page.evaluate(() => document.activeElement.closest('tr')?.dataset.carId === '161'));
    await seen(page, 161);
    for (let turn = 0; turn < 5; turn += 1) await page.keyboard.press('ArrowUp');
    await eventually('the focus is on car 156', () => page.evaluate(() => document.activeElement.closest('tr')?.dataset.carId === '156'));
    await scrollTo(page, 90_000);
    await eventually('the focus is on the list', () => page.evaluate(() => document.activeElement.className === 'rows'));
    await page.keyboard.press('Home');
    await seen(page, 1);
    await page.keyboard.press('End');
    await seen(page, CARS);
  });

  await step('another order begins at its first car', async () => {
    await page.getByRole('columnheader', { name: 'No.' }).getByRole('button').click();
    await seen(page, CARS);
    await settled(page, 1);
    await page.goBack();
    await seen(page, CARS);
    await page.locator('th[aria-sort="ascending"][data-column="carId"]').waitFor();
  });
  await page.context().close();

  await step('on a phone, the list keeps its place while one of its cars is open', async () => {
    const phone = await open(PHONE);
    await scrollTo(phone, 40_000);
    await seen(phone, 40_001);
    await settled(phone, 801);
    await checkWidth(phone, 'long list');
    await car(phone, 40_002).getByRole('link').click();
    await rows(phone).waitFor({ state: 'hidden' });
    await phone.goBack();
    await seen(phone, 40_001);
    await phone.context().close();
  });
}

/** Scrolls so that a row is the first one in the window. */
const scrollTo = (page, row) =>
  page.locator('.rows').evaluate((scroller, wanted) => {
    const [first] = scroller.querySelectorAll('tr[data-car-id]');
    scroller.scrollTop = wanted * first.getBoundingClientRect().height;
  }, row);

function isInWindow(row) {
  const [window, own] = [row.closest('.rows').getBoundingClientRect(), row.getBoundingClientRect()];
  return own.bottom > window.top && own.top < window.bottom;
}

/** A page of the cars, as the platform would answer. */
function answer(query) {
  const [page, size] = [Number(query.get('page') ?? 0), Number(query.get('size') ?? 20)];
  const isDescending = query.get('sort')?.endsWith(',desc');
  const numbers = Array.from({ length: Math.max(0, Math.min(size, CARS - page * size)) }, (_, index) => page * size + index);
  const carviews = numbers.map((index) => {
    const carId = isDescending ? CARS - index : index + 1;
    return { carId, carName: `Car ${carId}`, carType: 'SUV', amount: 50_000, carStatus: 'available', rsvId: null, rsvStatus: null, payId: null, payStatus: null };
  });
  return { _embedded: { carviews }, page: { size, number: page, totalElements: CARS, totalPages: Math.ceil(CARS / size) } };
}
