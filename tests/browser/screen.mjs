// Drives the screen in a real Chromium as people do: by labels and buttons. Another client changes cars through the API.
//
//   node screen.mjs http://127.0.0.1:3000/ [fleet book operate together long-list every-view figures restart]
//
// Prints one line per step. A failed step ends the run with exit code 1, and prints the text of the screen, the errors of
// the browser and the path of a screenshot. CHROMIUM sets the path of another browser, and ACCESS_TOKEN signs in on a
// platform with an identity. ISSUER and CAR_NAME do so on one with an OpenID provider, for a car that is there.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { book } from './journeys/book.mjs';
import { everyView } from './journeys/every-view.mjs';
import { figures } from './journeys/figures.mjs';
import { fleet } from './journeys/fleet.mjs';
import { issuer } from './journeys/issuer.mjs';
import { longList } from './journeys/long-list.mjs';
import { operate } from './journeys/operate.mjs';
import { restart } from './journeys/restart.mjs';
import { signIn } from './journeys/sign-in.mjs';
import { together } from './journeys/together.mjs';
import { Api } from './support/api.mjs';
import { Browser } from './support/browser.mjs';
import { currentStep, expect, step } from './support/steps.mjs';

const inBothLanguages = (journey) => async (...given) => {
  for (const language of ['ko', 'en']) await journey(...given, language);
};
const JOURNEYS = { fleet: inBothLanguages(fleet), book: inBothLanguages(book), operate: inBothLanguages(operate), together, 'long-list': longList, 'every-view': everyView, figures, restart };
/** It needs a test that stops and starts the host. */
const ON_REQUEST = ['restart'];

const [url, ...chosen] = process.argv.slice(2);
if (!url || chosen.some((name) => !(name in JOURNEYS))) {
  console.error(`usage: node screen.mjs URL [${Object.keys(JOURNEYS).join(' ')}]`);
  process.exit(2);
}

const browser = await Browser.launch();
try {
  if (process.env.ISSUER) await issuer(browser, url, process.env.ISSUER, process.env.CAR_NAME);
  else if (process.env.ACCESS_TOKEN) await signIn(browser, url, process.env.ACCESS_TOKEN);
  else for (const [name, journey] of Object.entries(JOURNEYS)) if (chosen.length ? chosen.includes(name) : !ON_REQUEST.includes(name)) await journey(browser, url, new Api(url));
  // A script error or a violation of the content security policy fails the run even if every step succeeded.
  await step('no script error and no policy violation', () => expect(browser.errors.length === 0, browser.errors.join('\n')));
} catch (error) {
  await report(error);
  process.exitCode = 1;
} finally {
  await browser.close();
}

async function report(error) {
  const page = browser.pages.findLast((each) => !each.isClosed());
  const picture = join(mkdtempSync(join(tmpdir(), 'socar-screen-')), 'failed.png');
  await page?.screenshot({ path: picture }).catch(() => undefined);
  const shown = (await page?.locator('body').innerText().catch(() => undefined)) ?? 'none: the page is closed';
  const section = (title, lines) => (lines.length ? `\n--- ${title}\n${lines.join('\n')}` : '');
  console.error(
    `FAILED  ${currentStep()}\n${error.message.replace(/\x1b\[\d+m/g, '')}` +
      section('errors of the browser', browser.errors) +
      section('refused or failed requests', browser.refusals.slice(-20)) +
      section('text of the screen', [page?.url() ?? '', shown.slice(0, 4_000)]) +
      `\n--- picture: ${picture}`,
  );
}
