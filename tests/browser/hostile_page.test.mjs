// Someone else's page may have broken anything. Nothing throws, and what can still be reported is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkOn } from './browser.mjs';
import { call, init, report } from './call.mjs';
import { inBrowsers } from './in_browsers.mjs';

inBrowsers(['chromium', 'firefox'], (scene) => {
  async function openAfter(breakIt) {
    const page = await (await scene.visitor()).page();
    await page.evaluateOnNewDocument(breakIt);
    await page.goto(scene.stack.fixture);
    await sdkOn(page);
    await init(page, scene.stack.config);
    return page;
  }

  test('an event reaches both legs where storage is denied', async () => {
    const page = await openAfter(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });
      }
    });
    await call(page, 'identify', { email: 'lan@example.com' });
    const { eventId, delivery } = await report(page, 'trackServerCompletePayment', {
      orderId: `NET${Date.now()}`, value: 99000, currency: 'VND',
    });
    assert.equal(delivery.status, 'accepted');
    const [{ signals }] = await scene.stack.bothLegs(eventId);
    for (const { match_keys: keys } of signals) assert.ok(keys.includes('email'));
  });

  for (const [what, breakIt] of [
    ['rejects with nothing', () => { window.fetch = () => Promise.reject(); }],
    ['throws', () => { window.fetch = () => { throw 'no'; }; }],
    ['resolves with a text', () => { window.fetch = () => Promise.resolve('ok'); }],
  ]) {
    test(`an event is kept where fetch ${what}, and sent once it works`, async () => {
      const { stack } = scene;
      const page = await openAfter(() => { window.realFetch = window.fetch; });
      await page.evaluate(breakIt);
      const { eventId, delivery } = await report(page, 'trackServerEvent', 'ViewContent');
      assert.equal(delivery.status, 'queued');
      assert.equal(await call(page, 'pending'), 1);
      await page.evaluate(() => { window.fetch = window.realFetch; });
      await call(page, 'flush');
      const [{ signals }] = await stack.serverLeg(eventId);
      assert.equal(signals.length, 1);
    });
  }

  test('the server leg arrives where ttq is something else altogether', async () => {
    const page = await openAfter(() => { window.ttq = { load: 'not a function' }; });
    const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent');
    assert.equal(delivery.status, 'accepted');
    await scene.stack.serverLeg(eventId);
  });
});
