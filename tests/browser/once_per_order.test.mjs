// A payment is reported once for its order, however often the page is reloaded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkOn } from './browser.mjs';
import { init, report } from './call.mjs';
import { inBrowsers } from './in_browsers.mjs';

const order = { orderId: 'PHO7K3M9Q2X', value: 99000, currency: 'VND', planId: 'homework', planName: 'Homework' };
/** SHA-256 of `duet/1|CompletePayment|PHO7K3M9Q2X` as a version-8 UUID. */
const eventId = 'fe42ae63-b5ad-8eb5-b022-89b5eb26d7db';

inBrowsers(['chromium', 'firefox'], (scene) => {
  test('five reloads of a thank-you page are one payment on each leg', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    const deliveries = [];
    for (let visit = 0; visit < 6; visit += 1) {
      if (visit > 0) await page.reload();
      await sdkOn(page);
      await init(page, stack.config);
      const reported = await report(page, 'trackServerCompletePayment', order);
      assert.equal(reported.eventId, eventId);
      deliveries.push(reported.delivery.status);
    }
    assert.deepEqual(deliveries, ['accepted', ...Array(5).fill('duplicate')]);
    const [{ signals }] = await stack.bothLegs(eventId);
    assert.deepEqual(signals.map(({ channel }) => channel).sort(), ['pixel', 'server']);
    assert.equal(stack.posted().filter((event) => event.event_id === eventId).length, 1);
    assert.equal(stack.pixelEvents().filter((event) => event.event_id === eventId).length, 1);
  });

  test('another browser that opens the same thank-you page adds nothing', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const { delivery } = await report(page, 'trackServerCompletePayment', order);
    assert.equal(delivery.status, 'duplicate', 'the proxy remembers the order');
    const conversions = await stack.sandbox.conversionsOf(eventId);
    assert.equal(conversions.length, 1);
    assert.equal(conversions[0].signals.filter(({ channel }) => channel === 'server').length, 1);
  });
});
