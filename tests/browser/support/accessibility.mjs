// Findings of axe, and targets that are too small for a finger.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** The least width and height of a target, in CSS pixels. */
const TARGET = 44;

/** Fails if axe finds anything on the page as it is. */
export async function checkAccessibility(page, name) {
  // Animations change colours for a moment.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => (animation.effect?.getTiming().iterations === Infinity ? undefined : animation.finished.catch(() => undefined)))));
  await page.evaluate(axe);
  const { violations } = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: 'tag', values } }), RULES);
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.slice(0, 3).map((node) => `    ${node.html.slice(0, 200)}\n    ${node.any[0]?.message ?? node.all[0]?.message ?? ''}`).join('\n')}`);
  if (found.length) throw new Error(`axe, ${name}:\n${found.join('\n')}`);
}

/** Fails if a control is smaller than a finger needs. A link within a sentence is none (WCAG 2.5.8). */
export async function checkTargets(page, name) {
  const small = await page.evaluate((least) => {
    const controls = [...document.querySelectorAll('a[href], button, input, select, summary')];
    const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.closest('.skip, [hidden]');
    return controls.filter(isShown).flatMap((element) => {
      // The label of a radio button or check box is part of its target, and so is a cell that its link covers.
      const target = element.closest('label:has(input:is([type=radio], [type=checkbox], [type=file]))') ?? element.closest('tbody tr[data-car-id]') ?? element;
      const { width, height } = target.getBoundingClientRect();
      return width >= least - 0.5 && height >= least - 0.5 ? [] : [`${Math.round(width)}×${Math.round(height)} ${element.outerHTML.slice(0, 140)}`];
    });
  }, TARGET);
  if (small.length) throw new Error(`targets below ${TARGET} px, ${name}:\n${small.slice(0, 8).join('\n')}`);
}

/** Fails if the page is wider than its window. */
export async function checkWidth(page, name) {
  const { wide, elements } = await page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const outside = [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > width + 1 && !element.closest('.scroll, .tabs, .skip, .visually-hidden, thead'));
    return { wide: document.documentElement.scrollWidth - width, elements: outside.slice(0, 5).map((element) => element.outerHTML.slice(0, 140)) };
  });
  if (wide > 0) throw new Error(`wider than the window by ${wide} px, ${name}:\n${elements.join('\n')}`);
}
