// A customer pays in a banking app. Meanwhile the phone puts the waiting page to sleep, and may end it. The bank's
// notification makes the conversion, with the click id. If the page wakes up, it reports the conversion too.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fallAsleep } from './asleep.mjs';
import { inBrowsers } from './in_browsers.mjs';
import { choose, says, toWaiting } from './shop.mjs';
import { shopSettings } from './stack.mjs';
import { until } from './until.mjs';

const price = 199000;

inBrowsers(['chromium', 'webkit'], (scene) => {
  const conversions = async (orderId, event) =>
    (await scene.stack.sandbox.conversions()).filter((one) => one.event === event && one.properties?.order_id === orderId);

  /** Waits until an event of an order has arrived with this number of signals. Returns its one conversion. */
  async function arrives(orderId, event, signals) {
    const found = await until(
      `${event} of ${orderId} arrives with ${signals} signals`,
      async () => {
        const found = await conversions(orderId, event);
        return found.some((one) => one.signals.length >= signals) && found;
      },
      { found: scene.stack.sandbox.conversions },
    );
    assert.deepEqual(found.map((one) => one.signals.length), [signals], `${event} of ${orderId} must be one conversion with ${signals} signals`);
    return found[0];
  }

  /** Opens a waiting page and puts it to sleep. The order is paid while the page sleeps. */
  async function paidAsleep(click) {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const page = await visitor.page();
    await page.goto(`${stack.url}/?ttclid=${click}`);
    await page.waitForSelector('.plan');
    const orderId = await choose(page, 'exam');
    // TikTok's own script loses its unsent events when the page is left, so wait until they have arrived.
    await arrives(orderId, 'InitiateCheckout', 2);
    await toWaiting(page);
    await says(page, 'pending');
    await arrives(orderId, 'ViewContent', 2);
    const address = await page.evaluate(() => location.href);
    const sleep = await fallAsleep(visitor, page);
    await stack.sandbox.pay({ order_id: orderId, amount: price });
    const { user, properties } = await arrives(orderId, 'Subscribe', 1);
    assert.equal(user.ttclid, click, 'the event from the bank’s notification must have the click id');
    assert.deepEqual([properties.value, properties.currency], [price, 'VND']);
    assert.deepEqual(await conversions(orderId, 'CompletePayment'), []);
    return { visitor, page, orderId, address, sleep };
  }

  test('a page that slept while its order was paid reports the payment once it wakes up', async () => {
    const { page, orderId, sleep } = await paidAsleep('E.C.P.woken');
    await sleep.wake();
    await says(page, 'paid');
    await arrives(orderId, 'CompletePayment', 2);
    await arrives(orderId, 'Subscribe', 1);
  });

  test('a page that died while its order was paid costs no conversion, and the next one reports its own', async () => {
    const { visitor, orderId, address, sleep } = await paidAsleep('E.C.P.killed');
    await sleep.die();
    const next = await visitor.page();
    await next.goto(address);
    await says(next, 'paid');
    const { user } = await arrives(orderId, 'CompletePayment', 2);
    assert.equal(user.ttclid, 'E.C.P.killed');
    await arrives(orderId, 'Subscribe', 1);
  });
}, shopSettings);
