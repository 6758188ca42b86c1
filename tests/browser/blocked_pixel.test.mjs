// A blocked Pixel costs nothing but itself: the server leg arrives, the page knows, and nothing throws.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkOn } from './browser.mjs';
import { heard, init, report } from './call.mjs';
import { inBrowsers } from './in_browsers.mjs';

async function assertServerLegAlone({ stack }, page, said) {
  const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent', { content_type: 'product' });
  assert.equal(delivery.status, 'accepted');
  const [{ signals }] = await stack.serverLeg(eventId);
  assert.deepEqual(signals.map(({ channel }) => channel), ['server']);
  const posted = stack.posted().find((event) => event.event_id === eventId);
  assert.equal(posted.pixel, said);
}

inBrowsers(['chromium', 'firefox'], (scene) => {
  test('an event says that a blocker kept the Pixel away', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).page();
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
      const page = await (await scene.visitor()).open(stack.fixture);
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

  test('a page that was to bring its own Pixel and has none says absent', async () => {
    const page = await (await scene.visitor()).open(scene.stack.fixture);
    await init(page, { ...scene.stack.config, pixel: 'existing' });
    await assertServerLegAlone(scene, page, 'absent');
  });

  test('an event of a page with the Pixel says that it fired', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(eventId);
    assert.equal(stack.posted().find((event) => event.event_id === eventId).pixel, 'fired');
    assert.deepEqual(await heard(page, 'pixel'), [{ state: 'fired' }]);
  });
});
