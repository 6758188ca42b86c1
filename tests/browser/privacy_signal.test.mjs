// A browser that asks sites not to sell or share its data (Global Privacy Control) limits the use of its data on both legs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkOn } from './browser.mjs';
import { init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';

inBrowsers(engines, (scene) => {
  for (const asked of [true, false]) {
    test(`an event is ${asked ? '' : 'not '}limited where the visitor ${asked ? 'asks for it' : 'does not ask'}`, async () => {
      const { stack } = scene;
      const page = await (await scene.visitor()).page();
      await page.evaluateOnNewDocument((asked) => {
        Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => asked, configurable: true });
      }, asked);
      await page.goto(stack.fixture);
      await sdkOn(page);
      await init(page, stack.config);
      const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
      await stack.bothLegs(eventId);
      const pixel = stack.pixelEvents().find((event) => event.event_id === eventId);
      assert.equal(pixel.limited_data_use ?? false, asked);
      const requests = await stack.sandbox.requests();
      const server = requests.flatMap(({ body }) => body.data).find((event) => event.event_id === eventId);
      assert.equal(server.limited_data_use ?? false, asked);
    });
  }

  test('an event that asks for it by itself is limited at the proxy, and the next is not', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    for (const [options, limited] of [[{ limitedDataUse: true }, true], [{}, false]]) {
      const { eventId } = await report(page, 'trackDualEvent', 'ViewContent', {}, options);
      await stack.bothLegs(eventId);
      const requests = await stack.sandbox.requests();
      const server = requests.flatMap(({ body }) => body.data).find((event) => event.event_id === eventId);
      assert.equal(server.limited_data_use ?? false, limited);
    }
  });
});
