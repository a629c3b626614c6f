// A customer of a platform with an OpenID provider: signs in there, books, stays signed in, and signs out.

import { expect, step } from '../support/steps.mjs';

export async function issuer(browser, url, provider, carName) {
  const page = await browser.page();
  const form = page.locator('.sign-in form');
  const user = page.locator('.user');
  const visited = [];
  page.on('request', (request) => visited.push(request.url()));
  const granted = (grant) => page.waitForResponse((response) => response.url().endsWith('/identity/grant') && response.ok() && response.request().postData().includes(grant));
  const kept = () => page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie]));

  await step('the page asks the user to sign in at the provider', async () => {
    await page.goto(`${url}?view=book`);
    await form.getByText(provider).waitFor();
  });

  let renewed;
  await step('the provider leads the user back to where the user was', async () => {
    const first = granted('authorization_code');
    await form.getByRole('button', { name: '로그인' }).click();
    await first;
    renewed = granted('refresh_token');
    await page.getByRole('heading', { level: 1, name: '어떤 차를 타시겠어요?' }).waitFor();
    await user.getByText('alice').waitFor();
    expect(new URL(page.url()).search === '?view=book', `the address is ${page.url()}`);
    const authorization = new URL(visited.find((each) => each.startsWith(`${provider}/authorize`)));
    expect(authorization.searchParams.get('code_challenge_method') === 'S256', authorization.href);
  });

  await step('the customer books a car', async () => {
    await page.getByRole('link', { name: carName }).click();
    await page.getByRole('button', { name: '무료로 예약하기' }).click();
    await page.getByRole('heading', { level: 1, name: '예약이 완료되었어요' }).waitFor();
  });

  await step('the page renews the token and keeps none', async () => {
    const tokens = await (await renewed).json();
    await page.getByRole('link', { name: '내 예약' }).first().click();
    await page.locator('.reservation-list a').filter({ hasText: carName }).waitFor();
    expect(await user.getByText('alice').isVisible(), 'the user is signed out');
    const storage = await kept();
    expect(!/eyJ/.test(storage) && !storage.includes(tokens.refresh_token), `the browser keeps ${storage}`);
    expect(!storage.includes('verifier'), `the browser keeps ${storage}`);
  });

  await step('the page connects to its own origin only', async () => {
    const own = new URL(url).origin;
    const foreign = visited.filter((each) => new URL(each).origin !== own);
    expect(foreign.every((each) => each.startsWith(`${provider}/authorize`)), foreign.join('\n'));
  });

  await step('the user signs out at the provider too', async () => {
    await user.getByRole('button', { name: '로그아웃' }).click();
    await form.getByText(provider).waitFor();
    expect(visited.some((each) => each.startsWith(`${provider}/sign-out`)), 'the user is still signed in at the provider');
  });

  await step('a user whom the provider refuses is told so', async () => {
    await form.getByRole('button', { name: '로그인' }).click();
    await page.getByText('로그인이 완료되지 않았습니다').waitFor();
    expect(!/[?&](code|state|error)=/.test(page.url()), `the address is ${page.url()}`);
  });
  await page.context().close();
}
