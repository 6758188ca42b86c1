// Pages whose Content-Security-Policy allows scripts from other hosts only with a nonce or with trusted types.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds } from './browser.mjs';
import { heard, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';

inBrowsers(engines, (scene) => {
  async function assertBothLegs(query, more = {}) {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(`${stack.fixture}?${query}`);
    await init(page, { ...stack.config, ...more });
    const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(eventId);
    await holds(page, () => window.heard.some(([kind, { state }]) => kind === 'pixel' && state === 'fired'));
  }

  test('the nonce given to init() lets the Pixel in', () => assertBothLegs('nonce=r4nd0m', { nonce: 'r4nd0m' }));

  test('trusted types let the Pixel in by the policy “duet”', () => assertBothLegs('types=duet'));

  test('so they do where WebAssembly is forbidden', () => assertBothLegs('types=duet&wasm=no'));

  for (const [what, query] of [['nonce is another', 'nonce=r4nd0m'], ['policy is not allowed', "types='none'"]]) {
    test(`where the ${what} the server leg arrives and the page hears that the Pixel is blocked`, async () => {
      const { stack } = scene;
      const page = await (await scene.visitor()).page();
      // Shorten the timer of ten seconds for the Pixel, so that the test need not wait. The time limits of requests stay
      // unchanged.
      await page.evaluateOnNewDocument(() => {
        const { setTimeout } = window;
        window.setTimeout = (task, ms, ...args) => setTimeout(task, args[0] === 'blocked' ? 500 : ms, ...args);
      });
      await page.goto(`${stack.fixture}?${query}`);
      await holds(page, () => window.duet !== undefined);
      await init(page, { ...stack.config, nonce: 'wrong' });
      const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent');
      assert.equal(delivery.status, 'accepted');
      await stack.serverLeg(eventId);
      await holds(page, () => window.heard.some(([kind]) => kind === 'pixel'));
      assert.deepEqual(await heard(page, 'pixel'), [{ state: 'blocked' }]);
    });
  }
});
