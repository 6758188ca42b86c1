// Every pixel of the page counts one page view for each address.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds } from './browser.mjs';
import { call, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { otherPixelId, pixelId } from './stack.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  const opened = async (query, more = {}) => {
    const page = await (await scene.visitor()).open(scene.stack.fixture + query);
    await init(page, { ...scene.stack.config, ...more });
    // Wait until the Pixel's script runs. Before that, the Pixel does not know the address of a page view.
    await holds(page, () => window.heard.some(([kind, { state }]) => kind === 'pixel' && state === 'fired'));
    return page;
  };
  const route = (page, query, ...then) =>
    page.evaluate((query, then) => {
      history.pushState(null, '', query);
      for (const name of then) window.duet[name]();
    }, query, then);

  /** Waits until the pixel has reported all its page views. Returns the addresses of these views. */
  async function viewed(page, query, code = pixelId) {
    const last = await call(page, 'trackPixelEvent', 'Contact');
    const mine = () => scene.stack.pixelEvents().filter(({ context }) => context.pixel.code === code && context.page.url.includes(query));
    const arrived = () => {
      const end = mine().find((event) => event.event_id === last);
      // The Pixel's script sends each event in its own request and numbers the events of all pixels in one sequence.
      return end && mine().every((event) => event.context.index <= end.context.index) && mine();
    };
    const events = await until(`the Pixel ${code} has reported`, arrived, { found: mine });
    const counted = events.filter(({ event }) => event === 'Pageview');
    return counted.sort((one, other) => one.context.index - other.context.index).map(({ context }) => context.page.url.split('?')[1]);
  }

  test('the first page is viewed once, a new address once however often it is told, and an old one not again', async () => {
    const page = await opened('?spa');
    await call(page, 'page');
    await route(page, '?spa&step=1', 'page', 'page');
    await route(page, '?spa&step=2', 'page');
    await route(page, '?spa&step=2', 'page');
    const expected = ['spa', 'spa&step=1', 'spa&step=2'];
    const count = () => scene.stack.pixelEvents().filter(({ event, context }) => event === 'Pageview' && context.page.url.includes('?spa')).length;
    await until('three addresses are viewed', () => count() >= expected.length);
    assert.deepEqual(await viewed(page, '?spa'), expected);
  });

  test('with autoPage the Pixel itself sees new addresses', async () => {
    const page = await opened('?auto', { autoPage: true });
    await route(page, '?auto&step=1');
    const count = () => scene.stack.pixelEvents().filter(({ event, context }) => event === 'Pageview' && context.page.url.includes('?auto')).length;
    await until('two addresses are viewed', () => count() >= 2);
    assert.deepEqual(await viewed(page, '?auto'), ['auto', 'auto&step=1']);
  });

  test('two pixels of a page see each page and each event once, under one event_id', async () => {
    const { stack } = scene;
    const page = await opened('?two');
    await init(page, stack.config);
    await init(page, { ...stack.config, pixelId: otherPixelId });
    await call(page, 'identify', { email: 'lan@example.com' });
    const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
    const fired = () => stack.pixelEvents().filter((event) => event.event_id === eventId);
    await until('both pixels fire', () => fired().length === 2);
    assert.deepEqual(fired().map(({ context }) => context.pixel.code).sort(), [pixelId, otherPixelId]);
    for (const { context } of fired()) assert.match(context.user.sha256_email, /^[0-9a-f]{64}$/);
    for (const code of [pixelId, otherPixelId]) {
      const views = () => stack.pixelEvents().filter(({ event, context }) =>
        event === 'Pageview' && context.pixel.code === code && context.page.url.endsWith('?two'));
      await until(`the pixel ${code} has viewed the page`, () => views().length > 0);
      assert.deepEqual(await viewed(page, '?two', code), ['two']);
    }
    // The proxy gets a copy of each event for each pixel. In this test the proxy knows only one of the pixels.
    const posted = stack.posted().filter((event) => event.event_id === eventId);
    assert.deepEqual(posted.map((event) => event.pixel_id).sort(), [pixelId, otherPixelId]);
    const conversions = await stack.serverLeg(eventId);
    const taken = conversions.filter(({ signals }) => signals.some(({ channel }) => channel === 'server'));
    assert.deepEqual(taken.map(({ pixel }) => pixel), [pixelId]);
  });
});
