// Drives the screen in a real Chromium as a customer does: by labels and buttons, without calls of the API.
//
//   node screen.mjs http://127.0.0.1:3000/
//
// Prints one line per step. A failed step ends the run with exit code 1, and prints the text of the screen, the errors
// of the browser and the path of a screenshot. CHROMIUM sets the path of another browser.

import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

/** In milliseconds. A healthy platform needs less than a second; a busy machine may need longer. */
const TIMEOUT = 30_000;
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const url = process.argv[2];
if (!url) fail('usage: node screen.mjs URL');
const executablePath = [process.env.CHROMIUM, ...BROWSERS].find((path) => path && existsSync(path));
if (!executablePath) fail(`no Chromium found: install one (apt-get install chromium) or name it in CHROMIUM; looked at ${BROWSERS.join(', ')}`);

const browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
const context = await browser.newContext({ locale: 'ko-KR', viewport: { width: 1440, height: 1000 } });
const page = await context.newPage();
page.setDefaultTimeout(TIMEOUT);
const browserErrors = [];
const failedRequests = [];
watch();

const carName = `브라우저 시험 ${Date.now().toString(36)}`;
let step = 'start';
try {
  await run();
  // A script error or a violation of the content security policy fails the run even if every step succeeded.
  step = 'no script error and no policy violation';
  if (browserErrors.length) throw new Error(browserErrors.join('\n'));
  done();
} catch (error) {
  await report(error);
  process.exitCode = 1;
} finally {
  await browser.close();
}

async function run() {
  begin('the page opens and its list loads');
  const response = await page.goto(url);
  expect(response.status() === 200, `GET ${url} returned ${response.status()}`);
  await page.getByRole('heading', { name: 'SOCAR' }).waitFor();
  await page.locator('#rows[aria-busy="false"]').waitFor({ state: 'attached' });
  done();

  begin('a car without a name is refused next to its field');
  const form = page.locator('#register');
  await form.getByRole('button', { name: '등록하기' }).click();
  await form.locator('#register-carName[aria-invalid="true"]').waitFor();
  expect((await form.locator('#register-carName-error').textContent()) !== '', 'the field shows no error text');
  done();

  begin('a car is registered with the keyboard');
  await form.getByLabel('차량 이름').fill(carName);
  await form.getByLabel('차종').fill('세단');
  await form.getByLabel('요금').fill('52000');
  await page.keyboard.press('Enter');
  const row = page.getByRole('row').filter({ hasText: carName });
  await row.waitFor();
  const carId = await row.getAttribute('data-car-id');
  done(`car ${carId}`);

  begin('its row shows an available car');
  await shows(row, 'carStatus', 'available');
  expect((await row.locator('[data-column="amount"]').textContent()).includes('52,000'), 'the row does not show the amount');
  done();

  begin('the car is reserved, confirmed and paid');
  await row.getByRole('button', { name: /^예약하기/ }).click();
  await shows(row, 'carStatus', 'reserved');
  await shows(row, 'rsvId', 'reserved');
  await shows(row, 'payId', 'paid');
  const rsvId = (await row.locator('[data-column="rsvId"] .number').textContent()).trim();
  done(`reservation ${rsvId}`);

  begin('the confirmation message appears');
  const messages = page.locator(`#messages [data-car-id="${carId}"][data-rsv-id="${rsvId}"]`);
  await messages.getByText(`예약이 완료 되었습니다. 차량번호 : ${carId}`, { exact: true }).waitFor();
  done();

  begin('the filter shows reserved cars only');
  await page.getByLabel('예약 가능', { exact: true }).check();
  await row.waitFor({ state: 'detached' });
  await page.getByLabel('예약됨', { exact: true }).check();
  await row.waitFor();
  await page.getByLabel('전체', { exact: true }).check();
  done();

  begin('the reservation is cancelled after a question');
  await row.getByRole('button', { name: /^예약 취소/ }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: '예약 취소' }).click();
  await shows(row, 'carStatus', 'available');
  await shows(row, 'rsvId', 'cancelled');
  await shows(row, 'payId', 'cancelled');
  done();

  begin('the cancellation message appears');
  await messages.getByText(`예약이 취소 되었습니다. 차량번호 : ${carId}`, { exact: true }).waitFor();
  expect((await messages.count()) === 2, `${await messages.count()} messages for one reservation and one cancellation`);
  done();

  begin('a column header sorts the list');
  await page.getByRole('columnheader', { name: '요금' }).getByRole('button').click();
  await page.locator('[aria-sort="ascending"][data-column="amount"]').waitFor();
  await page.getByRole('columnheader', { name: '차량번호' }).getByRole('button').click();
  await page.getByRole('columnheader', { name: '차량번호' }).getByRole('button').click();
  await row.waitFor();
  done();

  begin('the car is modified');
  await row.getByRole('button', { name: /^수정/ }).click();
  const dialog = page.getByRole('dialog');
  expect((await dialog.getByLabel('차량 이름').inputValue()) === carName, 'the dialog does not show the car');
  await dialog.getByLabel('요금').fill('61000');
  await dialog.getByRole('button', { name: '저장하기' }).click();
  await row.locator('[data-column="amount"]').filter({ hasText: '61,000' }).waitFor();
  done();

  begin('the screen switches to English');
  await page.getByRole('button', { name: 'English' }).click();
  await row.getByRole('button', { name: /^Reserve/ }).waitFor();
  const left = await page.locator('[data-text], .pill, .column-name').evaluateAll((all) => all.map((each) => each.textContent).filter((text) => /[가-힣]/.test(text)));
  expect(left.length === 0, `still Korean: ${left.join(', ')}`);
  await page.getByRole('button', { name: '한국어' }).click();
  done();

  begin('the car is deleted after a question');
  await row.getByRole('button', { name: /^삭제/ }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: '삭제' }).click();
  await row.waitFor({ state: 'detached' });
  done();
}

/** Waits until the cell of this column shows the status. */
async function shows(row, column, status) {
  await row.locator(`[data-column="${column}"] [data-status="${status}"]`).waitFor();
}

function watch() {
  page.on('pageerror', (error) => browserErrors.push(`script error: ${error.message}`));
  page.on('console', (message) => {
    // The browser logs a refused command as an error, although a refusal is expected.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) browserErrors.push(`console: ${message.text()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) failedRequests.push(`${response.status()} ${response.request().method()} ${response.url()}`);
  });
  page.on('requestfailed', (request) => {
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') failedRequests.push(`${request.failure()?.errorText} ${request.method()} ${request.url()}`);
  });
}

function begin(name) {
  step = name;
}

function done(note) {
  console.log(`ok  ${step}${note ? ` (${note})` : ''}`);
}

function expect(condition, otherwise) {
  if (!condition) throw new Error(otherwise);
}

async function report(error) {
  const picture = join(mkdtempSync(join(tmpdir(), 'socar-screen-')), 'failed.png');
  await page.screenshot({ path: picture, fullPage: true }).catch(() => undefined);
  const shown = await page.locator('body').innerText().catch(() => 'none: the page is closed');
  const section = (title, lines) => (lines.length ? `\n--- ${title}\n${lines.join('\n')}` : '');
  console.error(
    `FAILED  ${step}\n${error.message.replace(/\x1b\[\d+m/g, '')}` +
      section('errors of the browser', browserErrors) +
      section('refused or failed requests', failedRequests.slice(-20)) +
      section('text of the screen', [shown.slice(0, 4_000)]) +
      `\n--- picture: ${picture}`,
  );
}

function fail(text) {
  console.error(text);
  process.exit(2);
}
