// In a private window, storage works until the window is closed. Then the browser deletes the storage.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, sdkOn, visitor } from './browser.mjs';
import { call, init, report } from './call.mjs';
import { inBrowsers } from './in_browsers.mjs';

// In Chromium, every context of the tests is already private, so all other tests in Chromium cover private windows too.
inBrowsers(['firefox'], (scene) => {
  let hidden;
  before(async () => {
    hidden = await launch('firefox', { 'browser.privatebrowsing.autostart': true });
  });
  after(() => hidden?.close());

  test('an event reaches both legs, and one that waits outlives a reload', async () => {
    const { stack } = scene;
    const one = await visitor(hidden);
    const page = await one.open(stack.fixture);
    await init(page, stack.config);
    await call(page, 'identify', { email: 'lan@example.com' });
    const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
    const [{ signals }] = await stack.bothLegs(eventId);
    for (const { match_keys: keys } of signals) assert.ok(keys.includes('email'));

    await stack.proxy.stop();
    const waiting = await report(page, 'trackServerEvent', 'ViewContent');
    assert.equal(waiting.delivery.status, 'queued');
    await page.evaluateOnNewDocument(() => { const { now } = Date; Date.now = () => now() + 60_000; });
    await page.reload();
    await stack.proxy.start();
    await sdkOn(page);
    await init(page, stack.config);
    await stack.serverLeg(waiting.eventId);
    assert.deepEqual(one.errors, []);
  });
});
