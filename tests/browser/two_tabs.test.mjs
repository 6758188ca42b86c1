// Tabs of one site share the pending events, and no event is sent twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  test('what waits in two tabs is sent once when both find the proxy again', async () => {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const tabs = [];
    for (const tab of [1, 2]) {
      const page = await visitor.open(stack.fixture);
      await init(page, stack.config);
      await page.evaluate((tab) => { document.title = `tab ${tab}`; }, tab);
      tabs.push(page);
    }
    await stack.proxy.stop();
    const ids = [];
    for (const page of [...tabs, ...tabs]) {
      const { eventId, delivery } = await report(page, 'trackServerEvent', 'ViewContent');
      assert.equal(delivery.status, 'queued');
      ids.push(eventId);
    }

    await stack.proxy.start();
    await Promise.all(tabs.map((page) => page.evaluate(() => { dispatchEvent(new Event('online')); })));
    for (const eventId of ids) await stack.serverLeg(eventId);
    await until('no event is pending in either tab', async () => {
      const waiting = await Promise.all(tabs.map((page) => call(page, 'pending')));
      return waiting.every((count) => count === 0);
    });
    const taken = stack.posted().filter(({ post }) => post.status === 202).map((event) => event.event_id);
    assert.deepEqual(taken.filter((id) => ids.includes(id)).sort(), ids.sort());
  });
});
