// Takes the pictures of the documentation, on an empty platform that it fills with cars and reservations.
//
//   node pictures.mjs http://127.0.0.1:3000/ ../../docs/src/pictures

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Api } from './support/api.mjs';
import { Browser, PHONE } from './support/browser.mjs';

const [url, folder] = process.argv.slice(2);
const MODELS = [
  ['메르세데스-벤츠 E 300', '세단', 98_000], ['현대 아이오닉 5', '전기 SUV', 72_000], ['기아 EV6', '전기차', 69_000], ['제네시스 GV70', 'SUV', 110_000],
  ['현대 아반떼', '준중형', 42_000], ['기아 레이', '경차', 31_000], ['쉐보레 트랙스', '소형 SUV', 45_000], ['BMW 320i', '세단', 95_000],
  ['테슬라 모델 3', '전기차', 88_000], ['현대 캐스퍼', '경차', 33_000], ['르노 아르카나', 'SUV', 47_000], ['기아 카니발', '승합', 85_000],
];
const CARS = 48;

const api = new Api(url);
const cars = [];
for (let number = 0; number < CARS; number += 1) {
  const [name, type, amount] = MODELS[(number * 7) % MODELS.length];
  cars.push(await api.register(name, amount, type));
}
const [first, free] = cars.filter((_, index) => (index * 5) % 7 >= 3);
const { rsvId } = await api.reserve(first.carId);
await api.cancel(rsvId);
for (const { carId } of cars.filter((_, index) => (index * 5) % 7 < 3)) await api.reserve(carId);

const browser = await Browser.launch();
const encoder = await browser.page();
const shoot = async (name, query, options, ready) => {
  const page = await browser.page(options);
  await page.goto(new URL(`/${query}`, url).href);
  for (const selector of ready) await page.locator(selector).first().waitFor();
  await page.waitForTimeout(500);
  const picture = await page.screenshot({ animations: 'disabled' });
  await writeFile(join(folder, name), await webp(picture));
  await page.context().close();
};
await shoot('wall.webp', '', { viewport: { width: 1600, height: 900 } }, ['.tile', '[data-state="live"]']);
await shoot('saga.webp', `?view=operate&tab=reservations&rsv=${rsvId}`, { language: 'en', viewport: { width: 1280, height: 800 } }, ['.timeline [data-status="cancelled"]', '.saga [data-state="live"]']);
await shoot('booking.webp', `?view=book&car=${free.carId}`, { viewport: PHONE }, ['.checkout .price']);
await browser.close();

/** The picture as WebP, which is a third as large; Chromium encodes it. */
async function webp(png) {
  const encoded = await encoder.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL('image/webp', 0.86).split(',')[1];
  }, png.toString('base64'));
  return Buffer.from(encoded, 'base64');
}
