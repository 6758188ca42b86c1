// A page can make calls before the SDK is ready. The SDK keeps these calls in order and sends them with the ids that the
// calls returned.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds, stopClock } from './browser.mjs';
import { init } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';

inBrowsers(engines, (scene) => {
  // Makes the calls in the page's own script, because the page's policy does not apply to code that a test runs through the
  // debugger.
  async function assertReplayed(query) {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(`${stack.url}/pages/early.html${query}`, stopClock);
    await holds(page, () => window.vector !== undefined);
    const ids = await page.evaluate(() => window.early);
    assert.equal(new Set(ids).size, 3);
    assert.match(ids[2], /^own:/);
    const vector = await page.evaluate(() => window.vector);
    assert.equal(vector, '8dfcc057-77d8-88a5-b01a-e0d0586f4129', 'the id of an order’s event must be known before anything is loaded');
    assert.ok(!stack.posted().some((event) => ids.includes(event.event_id)));

    await init(page, stack.config);
    for (const id of ids) {
      const [{ signals }] = await stack.bothLegs(id);
      for (const { channel, match_keys: keys } of signals) {
        assert.ok(keys.includes('email'), `the ${channel} leg must have the e-mail address of the person who was identified earlier`);
      }
    }
    assert.deepEqual(stack.posted().map((event) => event.event_id).filter((id) => ids.includes(id)), ids);
    assert.deepEqual(stack.firedInOrder(ids), ids);
  }

  test('calls before init() are replayed with their ids', () => assertReplayed(''));

  test('init() leaves the Pixel for after its task, and does not when a call needs it', async () => {
    const seen = await (await (await scene.visitor()).open(scene.stack.fixture)).evaluate(async (config) => {
      const done = window.duet.init(config);
      const at = [typeof window.ttq];
      window.duet.trackPixelEvent('ViewContent');
      at.push(typeof window.ttq);
      await done;
      return at;
    }, scene.stack.config);
    assert.deepEqual(seen, ['undefined', 'object']);
    const page = await (await scene.visitor()).open(`${scene.stack.fixture}?ttclid=E.C.P.later`);
    const after = await page.evaluate(async (config) => {
      await window.duet.init(config);
      return [typeof window.ttq, document.cookie.includes('ttclid=E.C.P.later')];
    }, scene.stack.config);
    assert.deepEqual(after, ['object', true]);
  });

  test('so they are on a page whose policy forbids WebAssembly', () => assertReplayed('?wasm=no'));
});
