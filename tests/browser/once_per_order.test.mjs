// A payment is reported once for its order, even if the page is reloaded many times.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkOn } from './browser.mjs';
import { init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';

const order = { orderId: 'PHO7K3M9Q2X', value: 99000, currency: 'VND', planId: 'homework', planName: 'Homework' };
/** The expected event_id: the SHA-256 of `duet/1|CompletePayment|PHO7K3M9Q2X` as a version-8 UUID. */
const eventId = 'fe42ae63-b5ad-8eb5-b022-89b5eb26d7db';

inBrowsers(engines, (scene) => {
  const hours72 = 72 * 60 * 60 * 1000;

  async function pay(page) {
    await sdkOn(page);
    await init(page, scene.stack.config);
    const reported = await report(page, 'trackServerCompletePayment', order);
    assert.equal(reported.eventId, eventId);
    return reported.delivery.status;
  }

  async function assertOnePayment() {
    const { stack } = scene;
    const [{ signals }] = await stack.bothLegs(eventId);
    assert.deepEqual(signals.map(({ channel }) => channel).sort(), ['pixel', 'server']);
    assert.equal(stack.posted().filter((event) => event.event_id === eventId).length, 1);
    assert.equal(stack.pixelEvents().filter((event) => event.event_id === eventId).length, 1);
  }

  test('20 reloads, a second tab and a tab restored 72 hours later are one payment on each leg', async () => {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const page = await visitor.open(stack.fixture);
    assert.equal(await pay(page), 'accepted');
    // TikTok's own script loses its unsent events when the page is left, so wait until they have arrived.
    await stack.bothLegs(eventId);
    for (let visit = 0; visit < 20; visit += 1) {
      await page.reload();
      assert.equal(await pay(page), 'duplicate');
    }
    assert.equal(await pay(await visitor.open(stack.fixture)), 'duplicate', 'a second tab must report a duplicate');

    const restored = await visitor.page();
    await restored.evaluateOnNewDocument((later) => {
      const { now } = Date;
      Date.now = () => now() + later;
    }, hours72);
    await restored.goto(stack.fixture);
    assert.equal(await pay(restored), 'duplicate', '72 hours later');
    await assertOnePayment();
  });

  test('another browser that opens the same thank-you page adds nothing', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const { delivery } = await report(page, 'trackServerCompletePayment', order);
    assert.equal(delivery.status, 'duplicate', 'the proxy must remember the order');
    const conversions = await stack.sandbox.conversionsOf(eventId);
    assert.equal(conversions.length, 1);
    assert.equal(conversions[0].signals.filter(({ channel }) => channel === 'server').length, 1);
  });
});
