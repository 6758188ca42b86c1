// The actions of a customer in the demo shop.

import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const screenshots = resolve(import.meta.dirname, '../../target/screenshots');
export const desktop = { width: 1280, height: 900, deviceScaleFactor: 1 };
export const phone = { width: 390, height: 844, deviceScaleFactor: 2 };

export const click = async (page, selector) => (await page.waitForSelector(selector, { visible: true })).click();

/** Signs in on the plans page as the person whom `lines` describes. */
export async function signIn(page, lines) {
  await page.waitForSelector('.plan');
  for (const [name, text] of Object.entries(lines)) await page.type(`input[name=${name}]`, text);
  await click(page, '[data-account] [type=submit]');
  await page.waitForFunction(() => document.querySelector('[data-account-status]').textContent.startsWith('Signed in'));
}

/** Chooses a plan on the plans page. Returns the code of the new order. */
export async function choose(page, plan) {
  await click(page, `.plan[data-id=${plan}] button`);
  await page.waitForSelector('[data-payment]:not([hidden]) [data-order]');
  return page.$eval('[data-payment] [data-order]', (code) => code.textContent);
}

/** Goes from the box with the payment's details to the page that waits for the payment. */
export async function toWaiting(page) {
  await Promise.all([page.waitForNavigation(), click(page, '[data-waiting-link]')]);
  await page.waitForSelector('[data-waiting]:not([hidden])');
}

/** Waits until the waiting page shows `pending`, `partial` or `paid`. */
export const says = (page, status) => page.waitForSelector(`[data-status="${status}"]`);

/** Takes a screenshot of the page. People look at it, no test does. */
export async function photograph(page, name, { fullPage = false } = {}) {
  await mkdir(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage });
}
