// If the proxy cannot accept an event, the browser keeps the event, even if the page is reloaded. When the proxy works
// again, the event is delivered once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkOn, stopClock } from './browser.mjs';
import { call, init, report, stored } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { trackPath } from './stack.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  test('an event outlives a proxy that is away and a page that is reloaded', async () => {
    const { stack } = scene;
    const config = { ...stack.config, endpoint: `http://127.0.0.1:${stack.proxy.port}${trackPath}` };
    const page = await (await scene.visitor()).open(stack.fixture, stopClock);
    await init(page, config);
    await stack.proxy.stop();
    const { eventId, delivery } = await report(page, 'trackServerCompletePayment', {
      orderId: `NET1${scene.name.toUpperCase()}`,
      value: 99000,
      currency: 'VND',
    });
    assert.equal(delivery.status, 'queued');
    assert.equal(await call(page, 'pending'), 1);
    assert.ok(Object.values(await stored(page)).some((value) => value.includes(eventId)), 'the event must be stored');

    await page.reload();
    await sdkOn(page);
    await stack.proxy.start();
    await init(page, config);
    // The page before the reload may still have a running request with the event. Therefore the new page waits before it
    // sends the event.
    assert.equal(await call(page, 'pending'), 1);
    await call(page, 'flush');
    assert.equal(await call(page, 'pending'), 1);
    // A minute later, the SDK no longer waits for that request.
    await page.evaluate(() => { window.laterMs = 60_000; });
    await call(page, 'flush');
    const [{ signals }] = await stack.bothLegs(eventId);
    assert.deepEqual(signals.map(({ channel }) => channel).sort(), ['pixel', 'server']);
    await until('no event is pending on the page', async () => Object.keys(await stored(page)).every((key) => !key.startsWith('duet:e:')));
  });
}, (site) => ({ DUET_ALLOWED_ORIGINS: `http://127.0.0.1:${site.port}` }));
