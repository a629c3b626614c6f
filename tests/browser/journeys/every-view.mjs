// Every view in both languages: no finding of axe, no small target, nothing outside of the window, from 360 px to 4K.

import { checkAccessibility, checkTargets, checkWidth } from '../support/accessibility.mjs';
import { DESK, PHONE, WALL } from '../support/browser.mjs';
import { uniqueName } from '../support/api.mjs';
import { step } from '../support/steps.mjs';

export async function everyView(browser, url, api) {
  const { carId } = await api.register(uniqueName('모든 화면의 아주 긴 이름을 가진 자동차'));
  const { rsvId } = await api.reserve(carId);
  const free = await api.register(uniqueName('빈 차'));
  const views = {
    wall: '?view=fleet',
    table: '?view=fleet&display=table',
    car: `?view=fleet&display=table&car=${carId}`,
    registration: '?view=fleet&display=table&do=register',
    import: '?view=fleet&display=table&do=import',
    find: '?view=book',
    checkout: `?view=book&car=${free.carId}`,
    reservation: `?view=book&rsv=${rsvId}`,
    'my reservations': '?view=book&mine=1',
    health: '?view=operate',
    saga: `?view=operate&tab=reservations&rsv=${rsvId}`,
    events: '?view=operate&tab=events',
    'dead letters': '?view=operate&tab=dead-letters',
    faults: '?view=operate&tab=faults',
  };
  for (const language of ['ko', 'en']) {
    for (const [size, viewport] of Object.entries({ phone: PHONE, desk: DESK, wall: WALL })) {
      // Both colour modes are seen: the phone is dark in Korean, the desk in English.
      const colorScheme = (size === 'phone') === (language === 'ko') ? 'dark' : 'light';
      await step(`${language}: every view on a ${size} of ${viewport.width} pixels (${colorScheme})`, async () => {
        const page = await browser.page({ language, viewport, colorScheme });
        for (const [name, query] of Object.entries(views)) {
          await page.goto(new URL(`/${query}`, url).href);
          await page.locator('main h1, main h2').first().waitFor();
          await page.locator('[data-state="loading"]').first().waitFor({ state: 'detached' });
          await checkWidth(page, name);
          await checkTargets(page, name);
          if (size !== 'wall' || name === 'wall') await checkAccessibility(page, name);
        }
        await page.context().close();
      });
    }
  }
}
