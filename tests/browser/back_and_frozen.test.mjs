// A page from the back/forward cache, and a tab that was frozen, continue where they stopped.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fallAsleep } from './asleep.mjs';
import { call, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { trackPath } from './stack.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  const views = async (url) =>
    (await scene.stack.sandbox.conversions()).filter(({ event, page }) => event === 'Pageview' && page?.url === url);

  /**
   * Opens a page that makes its calls itself after it comes back from the cache. In Firefox a test cannot run code on such
   * a page. If the browser had to load the page again, the page sends the event `missed`.
   */
  async function opened(ownId, missed) {
    const page = await (await scene.visitor()).open(scene.stack.fixture, (page) =>
      page.evaluateOnNewDocument((missed, track) => {
        if (!location.pathname.endsWith('fixture.html')) return;
        if (sessionStorage.opened) fetch(track, { method: 'POST', body: JSON.stringify({ event: 'Contact', event_id: missed }) });
        sessionStorage.opened = '1';
      }, missed, trackPath));
    await init(page, scene.stack.config);
    await page.evaluate((ownId) => {
      addEventListener('pageshow', ({ persisted }) => {
        if (!persisted) return;
        window.duet.page();
        window.duet.trackDualEvent('ViewContent', {}, { eventId: ownId });
        history.pushState(null, '', `?after=${ownId}`);
        window.duet.page();
        window.duet.page();
      });
    }, ownId);
    return page;
  }

  /**
   * Leaves the page and comes back to it. Returns `undefined` if the browser did not keep the page in its cache. Browsers
   * may drop a page at any time.
   */
  async function cameBack(attempt) {
    const { stack } = scene;
    const [ownId, missed] = ['came-back', 'missed'].map((what) => `${what}-${scene.name}-${attempt}`);
    const known = (await views(stack.fixture)).length;
    const page = await opened(ownId, missed);
    const before = await report(page, 'trackDualEvent', 'Contact');
    await stack.bothLegs(before.eventId);
    // The Pixel sends each event in its own request, so a later event can arrive earlier.
    const viewed = await until('the page is viewed', async () => {
      const found = await views(stack.fixture);
      return found.length > known && found;
    });
    assert.ok(viewed.every(({ signals }) => signals.length === 1));

    await stack.proxy.stop();
    const { eventId, delivery } = await report(page, 'trackServerEvent', 'ViewContent');
    assert.equal(delivery.status, 'queued');
    const leaving = await call(page, 'trackServerEvent', 'ClickButton');
    await page.goto(`${stack.url}/pages/next.html`);
    await stack.proxy.start();
    await page.evaluate(() => { setTimeout(() => history.back()); });
    const returned = await until('the page is shown again', async () =>
      (await stack.sandbox.conversions()).find(({ event_id: id }) => id === ownId || id === missed));
    return returned.event_id === ownId ? { ownId, ids: [eventId, leaving], views: viewed.length } : undefined;
  }

  test('a page out of the back/forward cache sends what it could not, once, and reports on', async () => {
    const { stack } = scene;
    let back;
    for (let attempt = 0; !back && attempt < 5; attempt += 1) back = await cameBack(attempt);
    assert.ok(back, 'the browser must keep the page in its cache at least once in five attempts');
    await stack.bothLegs(back.ownId);
    for (const id of back.ids) {
      const [{ signals }] = await stack.serverLeg(id);
      assert.equal(signals.length, 1);
      // The proxy can get an event of a left page twice, because the page does not see the answer to a request that
      // continues after the page is left.
      await stack.takenOnce(id);
    }
    const next = `${stack.fixture}?after=${back.ownId}`;
    const viewed = await until('the new address is viewed', async () => {
      const found = await views(next);
      return found.length > 0 && found;
    });
    assert.equal(viewed.length, 1, 'the new address must count as one page view');
    assert.equal((await views(stack.fixture)).length, back.views, 'coming back must not count as a new page view');
  });
});

// In Firefox, a test cannot put a tab to sleep.
inBrowsers(['chromium', 'webkit'], (scene) => {
  test('a tab that was frozen sends what waited, once, when it wakes up', async () => {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const page = await visitor.open(stack.fixture);
    await init(page, stack.config);
    await stack.proxy.stop();
    const waiting = await report(page, 'trackServerEvent', 'ViewContent');
    assert.equal(waiting.delivery.status, 'queued');
    const sleep = await fallAsleep(visitor, page);
    await stack.proxy.start();
    await sleep.wake();
    const after = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(after.eventId);
    const [{ signals }] = await stack.serverLeg(waiting.eventId);
    assert.equal(signals.length, 1);
    await until('no event is pending on the page', async () => (await call(page, 'pending')) === 0);
  });
});
