// A visit to the demo shop: the customer chooses a plan, pays it and reloads the page. TikTok must count each event correctly.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds } from './browser.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { choose, desktop, phone, says, signIn, toWaiting } from './shop.mjs';
import { shopSettings } from './stack.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  const named = async (name) => (await scene.stack.sandbox.conversions()).filter(({ event }) => event === name);

  /**
   * Waits until `conversions` conversions with this name have arrived, each with `signals` signals. Returns these
   * conversions.
   */
  const arrived = (name, conversions, signals) => until(
    `${conversions} conversions ${name} arrive with ${signals} signals each`,
    async () => {
      const found = await named(name);
      return found.length >= conversions && found.every((one) => one.signals.length >= signals) && found;
    },
    { found: scene.stack.sandbox.conversions },
  );

  test('one order is one checkout and one payment, each on both legs, however often it is looked at', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).page();
    await page.setViewport(desktop);
    await page.goto(`${stack.url}/?ttclid=E.C.P.pricing`);
    await page.waitForSelector('.plan');
    await signIn(page, { email: 'lan@example.com', phone: '0901 234 567' });
    const orderId = await choose(page, 'exam');
    // TikTok's own script loses its unsent events when the page is left, so wait until they have arrived.
    await arrived('InitiateCheckout', 1, 2);
    await toWaiting(page);
    await says(page, 'pending');
    await stack.sandbox.pay({ order_id: orderId, amount: 199000 });
    for (let visit = 1; visit <= 4; visit += 1) {
      if (visit > 1) await page.reload();
      await says(page, 'paid');
      await until(
        `visit ${visit} of the waiting page counts as a page view`,
        async () => (await named('Pageview')).length === visit + 1,
        { found: stack.sandbox.conversions },
      );
    }
    await page.waitForSelector('[data-event=CompletePayment][data-pixel="fired"][data-server="delivered to TikTok"]');

    for (const event of ['InitiateCheckout', 'CompletePayment']) {
      const conversions = await arrived(event, 1, 2);
      assert.equal(conversions.length, 1, event);
      const [{ signals, properties, user }] = conversions;
      assert.deepEqual(signals.map(({ channel }) => channel).sort(), ['pixel', 'server'], event);
      assert.equal(properties.value, 199000);
      assert.equal(properties.currency, 'VND');
      assert.equal(properties.order_id, orderId);
      assert.equal(user.ttclid, 'E.C.P.pricing');
      const keys = signals.find(({ channel }) => channel === 'server').match_keys;
      for (const key of ['email', 'phone', 'ttclid']) assert.ok(keys.includes(key), `${event} must have ${key}`);
    }
    const views = (await arrived('ViewContent', 2, 2)).map(({ properties }) => properties.contents[0].content_id);
    assert.deepEqual(views, ['plans', 'exam'], 'each page must be viewed once');
    assert.equal((await arrived('Subscribe', 1, 1)).length, 1);
  });

  test('a visitor who does not allow it buys all the same, and TikTok hears of a sale and of nobody', async () => {
    const { stack } = scene;
    const before = await stack.sandbox.totals();
    const page = await (await scene.visitor()).page();
    await page.setViewport(phone);
    await page.goto(`${stack.url}/pages/next.html`);
    await page.evaluate(() => localStorage.setItem('net:consent', 'denied'));
    await page.goto(stack.url);
    const orderId = await choose(page, 'family');
    await toWaiting(page);
    await stack.sandbox.pay({ order_id: orderId, amount: 349000 });
    await says(page, 'paid');
    // The sale comes only from the shop's server and its bank, because the visitor allowed no reports.
    const [{ user, signals }] = await until('the sale arrives', async () => {
      const found = (await named('Subscribe')).filter(({ properties }) => properties.order_id === orderId);
      return found.length > 0 && found;
    });
    assert.deepEqual(user, {});
    assert.deepEqual(signals[0].match_keys, []);
    // The box with the live list on this page reads the sandbox last, so its count shows that the other boxes are up to date.
    await holds(page, () => document.querySelector('.legs-count').textContent !== '0');
    const after = await stack.sandbox.totals();
    assert.deepEqual([after.pixel_signals, after.server_signals], [before.pixel_signals, before.server_signals + 1]);
  });

  test('prices are whole dong, and cents where there are cents', async () => {
    const page = await (await scene.visitor()).page();
    await page.setViewport(desktop);
    await page.goto(scene.stack.url);
    await page.waitForSelector('.plan');
    const prices = () => page.$$eval('[data-price]', (all) => all.map((one) => one.textContent.replace(/\s/g, ' ')));
    assert.deepEqual(await prices(), ['99.000 ₫', '199.000 ₫', '349.000 ₫']);
    await page.click('input[name=currency][value=USD]');
    assert.deepEqual(await prices(), ['$4.99', '$9.99', '$29.00']);
    await page.click('input[name=billing][value=yearly]');
    assert.deepEqual(await prices(), ['$49.90', '$99.90', '$290.00']);

    await choose(page, 'exam');
    const text = (selector) => page.$eval(selector, (one) => one.textContent.replace(/\s/g, ' '));
    assert.equal(await text('[data-payment] .amount'), '$99.90', 'the price of a card payment must be in dollars');
    assert.match(await text('[data-payment-summary]'), /\$99\.90 a year/);
  });
}, shopSettings);
