// The shop as a customer would write it: a plan is chosen and paid, the page is reloaded, and TikTok counts right.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { holds } from './browser.mjs';
import { inBrowsers } from './in_browsers.mjs';
import { until } from './until.mjs';

const screenshots = resolve(import.meta.dirname, '../../target/screenshots');
const desktop = { width: 1440, height: 900 };
const phone = { width: 360, height: 740 };

inBrowsers(['chromium', 'firefox'], (scene) => {
  const named = async (name) => (await scene.stack.sandbox.conversions()).filter(({ event }) => event === name);

  const click = async (page, selector) => (await page.waitForSelector(selector)).click();

  async function photograph(page, name) {
    if (scene.name !== 'chromium') return;
    await mkdir(screenshots, { recursive: true });
    await page.screenshot({ path: join(screenshots, `${name}.png`) });
  }

  test('one order is one checkout and one payment, each on both legs, however often it is looked at', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).page();
    await page.setViewport(desktop);
    await page.goto(`${stack.url}/?ttclid=E.C.P.pricing`);
    await page.waitForSelector('.plan');
    await page.type('input[name=email]', 'lan@example.com');
    await page.type('input[name=phone]', '0901 234 567');
    await click(page, '[data-account] [type=submit]');
    await click(page, '.plan[data-id=exam] button');
    await page.waitForSelector('[data-waiting]:not([hidden])');
    const orderId = await page.$eval('[data-order]', (element) => element.textContent);
    assert.match(orderId, /^NET[2-9A-HJKMNP-Z]{10}$/);
    await photograph(page, 'waiting-desktop');

    await click(page, '[data-pay]');
    for (let visit = 1; visit <= 4; visit += 1) {
      if (visit > 1) await page.reload();
      await page.waitForSelector('.paid');
      // TikTok's own script forgets what it has not sent when a page is left.
      await until(
        `visit ${visit} of the waiting page is a view on both legs`,
        async () => {
          const views = (await named('ViewContent')).filter(({ page: { url } }) => url.includes('/waiting.html'));
          return views.length === visit && views.every(({ signals }) => signals.length === 2);
        },
        { found: stack.sandbox.conversions },
      );
    }
    await page.waitForSelector('[data-event=CompletePayment][data-pixel="fired"][data-server="delivered to TikTok"]');

    for (const event of ['InitiateCheckout', 'CompletePayment']) {
      const conversions = await named(event);
      assert.equal(conversions.length, 1, event);
      const [{ signals, properties, user }] = conversions;
      assert.deepEqual(signals.map(({ channel }) => channel).sort(), ['pixel', 'server'], event);
      assert.equal(properties.value, 199000);
      assert.equal(properties.currency, 'VND');
      assert.equal(properties.order_id, orderId);
      assert.equal(user.ttclid, 'E.C.P.pricing');
      const keys = signals.find(({ channel }) => channel === 'server').match_keys;
      for (const key of ['email', 'phone', 'ttclid']) assert.ok(keys.includes(key), `${event} carries ${key}`);
    }
    const plans = (await named('ViewContent'))
      .filter(({ page: { url } }) => !url.includes('/waiting.html'))
      .map(({ properties }) => properties.contents[0].content_id);
    assert.ok(plans.includes('exam'));
    assert.equal(new Set(plans).size, plans.length, 'a plan is viewed once in a visit of the page');
    assert.equal((await named('Pageview')).length, 5);
    await photograph(page, 'paid-desktop');
  });

  test('a visitor who does not allow it buys all the same, and nobody hears of it', async () => {
    const { stack } = scene;
    const before = await stack.sandbox.totals();
    const page = await (await scene.visitor()).page();
    await page.setViewport(phone);
    await page.goto(`${stack.url}/pages/next.html`);
    await page.evaluate(() => localStorage.setItem('net:consent', 'denied'));
    await page.goto(stack.url);
    await photograph(page, 'pricing-phone');
    await click(page, '.plan[data-id=family] button');
    await click(page, '[data-pay]');
    await page.waitForSelector('.paid');
    await photograph(page, 'paid-phone');
    // The live box reads the sandbox after all else on this page is done.
    await holds(page, () => document.querySelector('.legs-count').textContent !== '0');
    const after = await stack.sandbox.totals();
    assert.deepEqual([after.pixel_signals, after.server_signals], [before.pixel_signals, before.server_signals]);
  });

  test('prices are whole dong, and cents where there are cents', async () => {
    const page = await (await scene.visitor()).page();
    await page.setViewport(desktop);
    await page.goto(scene.stack.url);
    await page.waitForSelector('.plan');
    const prices = () => page.$$eval('[data-price]', (all) => all.map((one) => one.textContent.replace(/\s/g, ' ')));
    assert.deepEqual(await prices(), ['99.000 ₫', '199.000 ₫', '349.000 ₫']);
    await page.click('input[name=currency][value=USD]');
    assert.deepEqual(await prices(), ['$4.99', '$9.99', '$16.99']);
    await page.click('input[name=billing][value=yearly]');
    assert.deepEqual(await prices(), ['$49.90', '$99.90', '$169.90']);
    await photograph(page, 'pricing-desktop');
  });
});
