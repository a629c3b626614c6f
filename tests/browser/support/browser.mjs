// The browser of the journeys: pages that record script errors, refused requests and layout shifts.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

/** In milliseconds. A healthy platform needs less than a second; a busy machine may need longer. */
export const TIMEOUT = 30_000;
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
/** Playwright switches off the cache with which Back restores a page as it was. */
const WITHOUT = ['--disable-back-forward-cache'];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const PHONE = { width: 360, height: 780 };
export const DESK = { width: 1440, height: 1000 };
export const WALL = { width: 3840, height: 2160 };

/** A browser and all pages that were opened in it, for the report of a failure. */
export class Browser {
  #browser;
  pages = [];
  errors = [];
  refusals = [];

  static async launch() {
    const executablePath = [process.env.CHROMIUM, ...BROWSERS].find((path) => path && existsSync(path));
    if (!executablePath) throw new Error(`no Chromium found: install one (apt-get install chromium) or name it in CHROMIUM; looked at ${BROWSERS.join(', ')}`);
    const browser = new Browser();
    browser.#browser = await chromium.launch({ executablePath, headless: true, args: FLAGS, ignoreDefaultArgs: WITHOUT });
    return browser;
  }

  /** A page of a user with storage of its own. `options` are those of a Playwright context. */
  async page({ language = 'ko', viewport = DESK, ...options } = {}) {
    const context = await this.#browser.newContext({ locale: language === 'ko' ? 'ko-KR' : 'en-GB', viewport, ...options });
    await context.addInitScript(observeLayoutShifts);
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT);
    this.#watch(page);
    this.pages.push(page);
    return page;
  }

  close() {
    return this.#browser.close();
  }

  #watch(page) {
    page.on('pageerror', (error) => this.errors.push(`script error: ${error.message}`));
    page.on('console', (message) => {
      // The browser logs a refused request as an error, although a refusal may be expected.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) this.errors.push(`console: ${message.text()}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400) this.refusals.push(`${response.status()} ${response.request().method()} ${response.url()}`);
    });
    page.on('requestfailed', (request) => {
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') this.refusals.push(`${request.failure()?.errorText} ${request.method()} ${request.url()}`);
    });
  }
}

/** Runs in the page: adds up the layout shifts that no input of the user explains. */
function observeLayoutShifts() {
  globalThis.layoutShifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.layoutShifts.push(entry);
  }).observe({ type: 'layout-shift', buffered: true });
}

/** The greatest score that is no shift: a right-aligned number that grows by a digit moves its own begin. */
const NO_SHIFT = 0.001;

/** Runs `work`, and fails if the layout of the page shifts meanwhile. */
export async function withoutLayoutShift(page, work) {
  await page.evaluate(() => (globalThis.layoutShifts = []));
  const result = await work();
  const shifts = await page.evaluate((least) => globalThis.layoutShifts.filter(({ value }) => value > least).map(({ value, sources }) => `${value.toFixed(4)} ${sources.map(({ node }) => node?.outerHTML?.slice(0, 120) ?? node?.nodeName).join(' | ')}`), NO_SHIFT);
  if (shifts.length) throw new Error(`the layout shifted:\n${shifts.join('\n')}`);
  return result;
}
