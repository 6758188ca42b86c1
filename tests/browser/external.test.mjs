// `duet-sdk/external` fetches the module as a separate file. Calls before the module's arrival return their ids at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines, inBrowsers } from './in_browsers.mjs';

inBrowsers(engines, (scene) => {
  for (const [policy, query] of [['that allows WebAssembly', ''], ['that does not', '?wasm=no']]) {
    test(`an event reaches both legs under a policy ${policy}`, async () => {
      const { stack } = scene;
      const page = await (await scene.visitor()).page();
      const fetched = [];
      page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
      await page.goto(`${stack.url}/pages/next.html${query}`);
      const { eventId, status } = await page.evaluate(async (config) => {
        const duet = await import('/duet-sdk/external.js');
        duet.init(config);
        const { eventId, delivery } = duet.trackDualEvent('ViewContent');
        return { eventId, status: (await delivery).status };
      }, stack.config);
      assert.match(eventId, /^[0-9a-f-]{36}$/);
      assert.equal(status, 'accepted');
      await stack.bothLegs(eventId);
      assert.equal(fetched.some((path) => path.endsWith('fallback.js')), query !== '');
    });
  }
});
