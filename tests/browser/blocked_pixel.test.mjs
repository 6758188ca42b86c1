// A blocked Pixel affects only the Pixel's leg. The server leg arrives, the page gets the Pixel's state, and no call throws.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkOn, stopClock } from './browser.mjs';
import { heard, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { until } from './until.mjs';

async function assertServerLegAlone({ stack }, page, said) {
  const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent', { content_type: 'product' });
  assert.equal(delivery.status, 'accepted');
  const [{ signals }] = await stack.serverLeg(eventId);
  assert.deepEqual(signals.map(({ channel }) => channel), ['server']);
  const posted = stack.posted().find((event) => event.event_id === eventId);
  assert.equal(posted.pixel, said);
}

inBrowsers(engines, (scene) => {
  test('an event says that a blocker kept the Pixel away', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).page();
    await stopClock(page);
    await page.setRequestInterception(true);
    page.on('request', (request) => {
      if (new URL(request.url()).port === String(stack.tiktok.port)) request.abort('blockedbyclient');
      else request.continue();
    });
    await page.goto(stack.fixture);
    await sdkOn(page);
    await init(page, stack.config);
    await assertServerLegAlone(scene, page, 'blocked');
    assert.deepEqual(await heard(page, 'pixel'), [{ state: 'blocked' }]);
  });

  test('an event says that the script of the Pixel was not found', async () => {
    const { stack } = scene;
    await stack.sandbox.inject({ fault: 'script_missing' });
    try {
      const page = await (await scene.visitor()).open(stack.fixture, stopClock);
      await init(page, stack.config);
      await assertServerLegAlone(scene, page, 'blocked');
      assert.deepEqual(await heard(page, 'pixel'), [{ state: 'blocked' }]);
    } finally {
      await stack.sandbox.heal();
    }
  });

  test('an event does not wait for a Pixel that never comes', async () => {
    const { stack } = scene;
    await stack.sandbox.inject({ fault: 'script_hangs' });
    try {
      const page = await (await scene.visitor()).open(stack.fixture);
      await init(page, stack.config);
      await assertServerLegAlone(scene, page, undefined);
    } finally {
      await stack.sandbox.heal();
    }
  });

  test('a Pixel that never comes is called blocked within seconds, and then nobody looks for it any more', async () => {
    const { stack } = scene;
    await stack.sandbox.inject({ fault: 'script_hangs' });
    try {
      const page = await (await scene.visitor()).page();
      // Makes every timer run a hundred times faster, and records it.
      await page.evaluateOnNewDocument(() => {
        const { setTimeout, setInterval } = window;
        window.timers = { longest: 0, repeated: 0, running: 0 };
        window.setTimeout = (task, ms = 0, ...args) => {
          window.timers.longest = Math.max(window.timers.longest, ms);
          window.timers.running += 1;
          return setTimeout(() => { window.timers.running -= 1; task(...args); }, ms / 100);
        };
        window.setInterval = (...args) => { window.timers.repeated += 1; return setInterval(...args); };
      });
      // A page does not finish loading while one of its scripts hangs.
      await page.goto(stack.fixture, { waitUntil: 'domcontentloaded' });
      // Poll from the test and not on the page, because polling on the page would use the page's recorded timers.
      await until('the page has loaded the SDK', () => page.evaluate(() => window.duet !== undefined));
      await init(page, stack.config);
      await until('the page gets the Pixel’s state', async () => (await heard(page, 'pixel')).length > 0);
      assert.deepEqual(await heard(page, 'pixel'), [{ state: 'blocked' }]);
      await until('no timer runs', () => page.evaluate(() => window.timers.running === 0));
      const { longest, repeated } = await page.evaluate(() => window.timers);
      assert.ok(longest <= 10_000, `${longest} ms`);
      assert.equal(repeated, 0, 'no timer may repeat');
    } finally {
      await stack.sandbox.heal();
    }
  });

  test('a page that was to bring its own Pixel and has none says absent', async () => {
    const page = await (await scene.visitor()).open(scene.stack.fixture);
    await init(page, { ...scene.stack.config, pixel: 'existing' });
    await assertServerLegAlone(scene, page, 'absent');
  });

  test('an event of a page with the Pixel says that it fired', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture, stopClock);
    await init(page, stack.config);
    const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(eventId);
    assert.equal(stack.posted().find((event) => event.event_id === eventId).pixel, 'fired');
    assert.deepEqual(await heard(page, 'pixel'), [{ state: 'fired' }]);
  });
});
