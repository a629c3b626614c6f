// The company works with its fleet: wall, table, search, edit with a merge, import, export.

import { readFile } from 'node:fs/promises';
import { withoutLayoutShift } from '../support/browser.mjs';
import { uniqueName } from '../support/api.mjs';
import { eventually, expect, step } from '../support/steps.mjs';

const TEXTS = {
  ko: {
    title: '차량 현황', table: '목록', wall: '현황판', register: '차량 등록', submit: '등록하기', name: /^차량 이름/, type: '차종', amount: '요금', close: '닫기', search: '이름, 차종, 번호 검색',
    available: '예약 가능', reserved: '예약됨', clear: '조건 지우기', number: '차량번호', edit: '수정', save: '저장하기', merge: '그 사이에 다른 사람이 수정했습니다', mine: '내가 입력한 값', theirs: '저장된 값',
    remove: '삭제', removeYes: '삭제하기', import: '가져오기', file: '파일 고르기', start: '3대 등록하기', report: '2대를 등록했고, 1줄은 등록하지 못했습니다.', export: '내보내기', jump: '페이지 번호로 이동', none: '조건에 맞는 차량이 없습니다',
    again: '지금 다시 시도', isUnknown: '차량이 등록되었는지 알 수 없습니다', wrongName: '눈에 보이는 글자로 200자까지 입력해 주세요.',
  },
  en: {
    title: 'Fleet', table: 'Table', wall: 'Wall', register: 'Register a car', submit: 'Register', name: /^Name/, type: 'Type', amount: 'Price', close: 'Close', search: 'Search name, type or number',
    available: 'Available', reserved: 'Reserved', clear: 'Clear filters', number: 'No.', edit: 'Edit', save: 'Save', merge: 'Another person changed this car in the meantime', mine: 'Your value', theirs: 'Saved value',
    remove: 'Delete', removeYes: 'Delete the car', import: 'Import', file: 'Choose a file', start: 'Register 3 cars', report: '2 cars were registered, 1 lines were refused.', export: 'Export', jump: 'Go to page', none: 'No car matches',
    again: 'Try now', isUnknown: 'It is not known whether the car was registered', wrongName: 'Please type up to 200 visible characters.',
  },
};

export async function fleet(browser, url, api, language) {
  const text = TEXTS[language];
  const page = await browser.page({ language });
  const carName = uniqueName('브라우저 시험');
  const row = page.getByRole('row').filter({ hasText: carName });
  const main = page.locator('main');
  let carId;

  await step(`${language}: the page opens with the wall`, async () => {
    const response = await page.goto(url);
    expect(response.status() === 200, `GET ${url} returned ${response.status()}`);
    await page.getByRole('heading', { level: 1, name: text.title }).waitFor();
    await page.locator('.wall-clock [data-state="live"]').waitFor();
    await page.locator('.wall-figures dd').first().filter({ hasText: /\d/ }).waitFor();
  });

  await step(`${language}: a car without a name is refused next to its field`, async () => {
    await main.getByRole('link', { name: text.table }).click();
    await main.getByRole('link', { name: text.register }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: text.submit }).click();
    await dialog.getByText(text.wrongName, { exact: true }).waitFor();
    expect((await dialog.getByLabel(text.name).getAttribute('aria-invalid')) === 'true', 'the field is not marked');
  });

  await step(`${language}: a car is registered with the keyboard`, async () => {
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(text.name).fill(carName);
    await dialog.getByLabel(text.type, { exact: true }).fill('세단');
    await dialog.getByLabel(text.amount, { exact: true }).fill('52000');
    await page.keyboard.press('Enter');
    await eventually('the form is empty again', async () => (await dialog.getByLabel(text.name).inputValue()) === '');
    await page.keyboard.press('Escape');
    await row.waitFor();
    carId = Number(await row.getAttribute('data-car-id'));
    return `car ${carId}`;
  });

  await step(`${language}: its row shows an available car with its price`, async () => {
    await row.locator('[data-column="carStatus"] [data-status="available"]').waitFor();
    expect((await row.locator('[data-column="amount"]').textContent()).includes('52,000'), 'the row does not show the amount');
  });

  await step(`${language}: the search finds the car by a part of its name, and Back leaves the search`, async () => {
    const box = page.getByRole('searchbox', { name: text.search });
    await box.fill(carName.slice(-8));
    await page.waitForURL(/[?&]q=/);
    await row.waitFor();
    await box.fill('no such car at all');
    await page.getByText(text.none).waitFor();
    await page.getByRole('button', { name: text.clear }).click();
    await row.waitFor();
    await page.goBack();
    await page.getByText(text.none).waitFor();
    expect((await box.inputValue()) === 'no such car at all', 'the box does not show the search');
    await page.goForward();
    await row.waitFor();
  });

  await step(`${language}: filters combine, and are in the address`, async () => {
    await page.getByRole('radio', { name: text.reserved }).check();
    await row.waitFor({ state: 'detached' });
    await page.getByRole('radio', { name: text.available }).check();
    await page.getByRole('searchbox').fill(carName);
    await page.waitForURL(/status=available.*&q=/);
    await row.waitFor();
    await page.reload();
    await row.waitFor();
    await page.getByRole('button', { name: text.clear }).click();
    await row.waitFor();
  });

  await step(`${language}: a column header sorts the list`, async () => {
    await page.getByRole('columnheader', { name: text.amount }).getByRole('button').click();
    await page.locator('th[aria-sort="ascending"][data-column="amount"]').waitFor();
    await page.getByRole('columnheader', { name: text.number }).getByRole('button').click();
    await page.getByRole('columnheader', { name: text.number }).getByRole('button').click();
    await page.locator('th[aria-sort="descending"][data-column="carId"]').waitFor();
    await row.waitFor();
  });

  await step(`${language}: a row changes without a layout shift`, async () => {
    await page.waitForTimeout(300);
    await withoutLayoutShift(page, async () => {
      await api.change(carId, { amount: 1_234_567, carName: `${carName} 아주 긴 이름을 가진 차량 아주 긴 이름을 가진 차량 아주 긴 이름을 가진 차량` });
      await row.getByText('1,234,567').waitFor();
      await api.change(carId, { amount: 52_000, carName });
      await row.getByText('52,000').waitFor();
      const { rsvId } = await api.reserve(carId);
      await row.locator('[data-status="paid"]').waitFor();
      await api.cancel(rsvId);
      await row.locator('[data-column="payId"] [data-status="cancelled"]').waitFor();
    });
  });

  await step(`${language}: an edit that another one overtook shows both versions, and keeps what was typed`, async () => {
    await row.getByRole('link').click();
    const car = page.locator('.car-page');
    await car.getByRole('button', { name: text.edit }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(text.amount, { exact: true }).fill('61000');
    await api.change(carId, { amount: 77_000, carType: 'SUV' });
    await dialog.getByRole('button', { name: text.save }).click();
    await dialog.getByText(text.merge).waitFor();
    expect((await dialog.getByLabel(text.amount, { exact: true }).inputValue()) === '61000', 'the typed amount is gone');
    await dialog.getByRole('radio', { name: `${text.theirs}: SUV` }).check();
    await dialog.getByRole('radio', { name: `${text.theirs}: 77000` }).check();
    await dialog.getByRole('radio', { name: `${text.mine}: 61000` }).check();
    await dialog.getByRole('button', { name: text.save }).click();
    await dialog.waitFor({ state: 'detached' });
    await row.getByText('61,000').waitFor();
    await row.getByText('SUV').waitFor();
  });

  await step(`${language}: the page of the car shows its reservations and what happens`, async () => {
    const car = page.locator('.car-page');
    await car.locator('.link-rows a').first().waitFor();
    await car.locator('.event-rows li').first().waitFor();
    await page.goBack();
    await car.waitFor({ state: 'detached' });
    await page.goForward();
    await car.waitFor();
  });

  await step(`${language}: a CSV file is imported, with a report of the refused line`, async () => {
    await main.getByRole('link', { name: text.import }).click();
    const dialog = page.getByRole('dialog');
    const file = `\uFEFF차량 이름,차종,요금\r\n"${carName} 가, 나",경차,30000\r\n,SUV,1\r\n${carName} 다,세단,40000\r\n`;
    await dialog.getByLabel(text.file).setInputFiles({ name: 'cars.csv', mimeType: 'text/csv', buffer: Buffer.from(file) });
    await dialog.getByRole('button', { name: text.start }).click();
    await dialog.getByText(text.report).waitFor();
    await dialog.getByText(text.wrongName).waitFor();
    await dialog.getByRole('button', { name: text.close }).click();
    await page.getByRole('link', { name: `${carName} 가, 나` }).waitFor();
  });

  await step(`${language}: the cars of a search are exported`, async () => {
    await page.getByRole('searchbox').fill(carName);
    await page.waitForURL(/[?&]q=/);
    await page.getByRole('row').nth(3).waitFor();
    await page.locator('table[aria-busy="false"]').waitFor();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: text.export }).click()]);
    const exported = await readFile(await download.path(), 'utf8');
    expect(exported.split('\r\n').length === 5 && exported.includes(`"${carName} 가, 나"`), exported);
  });

  await step(`${language}: a page number leads to its page`, async () => {
    await page.getByRole('button', { name: text.clear }).click();
    // A page has 50 cars; the second one must fill the window.
    for (let number = 1; number <= 70; number += 1) await api.register(`${carName} ${number}`);
    await eventually('the list has all of them', async () => Number(await page.getByRole('table').getAttribute('aria-rowcount')) > 71);
    await page.getByLabel(text.jump).fill('2');
    await page.keyboard.press('Enter');
    await page.waitForURL(/[?&]page=2/);
    await page.locator('table[aria-busy="false"] tr[aria-rowindex="52"]').waitFor();
    await page.goBack();
    await eventually('the first page', async () => (await page.getByLabel(text.jump).inputValue()) === '1');
  });

  await step(`${language}: the car is deleted after a question`, async () => {
    await page.goto(new URL(`/?view=fleet&display=table&car=${carId}`, url).href);
    await page.locator('.car-page').getByRole('button', { name: text.remove }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: text.removeYes }).click();
    await page.locator('.car-page').waitFor({ state: 'detached' });
    await page.locator(`tr[data-car-id="${carId}"]`).waitFor({ state: 'detached' });
  });

  await step(`${language}: a registration whose answer was lost is not offered again`, async () => {
    await page.goto(new URL('/?view=fleet&display=table&do=register', url).href);
    const name = uniqueName('한 번만');
    await page.route('**/cars', async (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      await route.fetch();
      return route.abort('connectionreset');
    });
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(text.name).fill(name);
    await dialog.getByRole('button', { name: text.submit }).click();
    await dialog.getByText(text.isUnknown).waitFor();
    expect((await dialog.getByRole('button', { name: text.again }).count()) === 0, 'a repetition could register the car twice');
    await page.unroute('**/cars');
  });

  await page.context().close();
}
