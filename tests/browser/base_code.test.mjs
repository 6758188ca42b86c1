// A page has TikTok's own base code and Duet. The base code is for the same pixel or for another pixel, and runs before or
// after Duet. Each pixel must report the page view once, and no queue may lose its calls.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds } from './browser.mjs';
import { init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { otherPixelId, pixelId } from './stack.mjs';
import { until } from './until.mjs';

/** Imitates the base code of TikTok's Events Manager: `load` starts a new queue, and `page` calls all pixels. */
function baseCode(script, id) {
  window.TiktokAnalyticsObject = 'ttq';
  const ttq = (window.ttq = window.ttq || []);
  ttq.methods = ('page track identify instances debug on off once ready alias group enableCookie disableCookie ' +
    'holdConsent revokeConsent grantConsent').split(' ');
  ttq.setAndDefer = (target, method) => {
    target[method] = function () { target.push([method].concat(Array.prototype.slice.call(arguments, 0))); };
  };
  for (const method of ttq.methods) ttq.setAndDefer(ttq, method);
  ttq.instance = (id) => {
    const queue = ttq._i[id] || [];
    for (const method of ttq.methods) ttq.setAndDefer(queue, method);
    return queue;
  };
  ttq.load = (id, options) => {
    ttq._i = ttq._i || {};
    ttq._i[id] = [];
    ttq._i[id]._u = script;
    ttq._t = ttq._t || {};
    ttq._t[id] = +new Date();
    ttq._o = ttq._o || {};
    ttq._o[id] = options || {};
    const element = document.createElement('script');
    element.async = true;
    element.src = `${script}?sdkid=${id}&lib=ttq`;
    document.head.prepend(element);
  };
  ttq.load(id);
  ttq.page();
}

inBrowsers(engines, (scene) => {
  const runBaseCode = (page, id) => page.evaluate(`(${baseCode})(${JSON.stringify(scene.stack.config.pixelScriptUrl)}, ${JSON.stringify(id)})`);

  const fired = (page) => holds(page, () => window.heard.some(([kind, { state }]) => kind === 'pixel' && state === 'fired'));

  /**
   * Reports an event and waits until it has arrived. Then all earlier events of the page have arrived too. Returns all
   * reports of this pixel from this page.
   */
  async function told(page, code = pixelId) {
    const { eventId } = await report(page, 'trackDualEvent', 'Contact');
    const of = () => {
      const all = scene.stack.pixelEvents();
      const last = all.find((event) => event.event_id === eventId && event.context.pixel.code === pixelId);
      const mine = all.filter(({ context }) => context.pageview_id === last?.context.pageview_id);
      const indexes = new Set(mine.map(({ context }) => context.index));
      return last && Array.from({ length: last.context.index }, (_, at) => at + 1).every((index) => indexes.has(index)) && mine;
    };
    const mine = await until('the Pixel has reported', of, { found: scene.stack.pixelEvents });
    return mine.filter(({ context }) => context.pixel.code === code).sort((one, other) => one.context.index - other.context.index)
      .map(({ event }) => event);
  }

  test('base code of the same pixel that came before Duet has viewed the page', async () => {
    const page = await (await scene.visitor()).open(scene.stack.fixture);
    await runBaseCode(page, pixelId);
    await init(page, scene.stack.config);
    await fired(page);
    assert.deepEqual(await told(page), ['Pageview', 'Contact']);
  });

  test('base code of the same pixel that comes while Duet’s queue is full empties nothing', async () => {
    const page = await (await scene.visitor()).open(scene.stack.fixture);
    const script = scene.stack.config.pixelScriptUrl;
    await page.evaluate(`(() => {
      window.duet.init(${JSON.stringify(scene.stack.config)});
      window.duet.trackDualEvent('ViewContent');
      (${baseCode})(${JSON.stringify(script)}, ${JSON.stringify(pixelId)});
      window.duet.trackDualEvent('Search');
    })()`);
    await fired(page);
    assert.deepEqual((await told(page)).toSorted(), ['Contact', 'Pageview', 'Search', 'ViewContent']);
    assert.equal(await page.evaluate((id) => document.querySelectorAll(`script[src*="${id}"]`).length, pixelId), 1);
  });

  test('base code of the same pixel that comes when the Pixel runs adds no view, and stops nothing', async () => {
    const page = await (await scene.visitor()).open(scene.stack.fixture);
    await init(page, scene.stack.config);
    await fired(page);
    await runBaseCode(page, pixelId);
    assert.deepEqual(await told(page), ['Pageview', 'Contact']);
  });

  for (const [when, before] of [['before', true], ['after', false]]) {
    test(`base code of another pixel ${when} Duet: both view the page once`, async () => {
      const views = () => scene.stack.pixelEvents().filter(({ event, context }) =>
        event === 'Pageview' && context.pixel.code === otherPixelId).length;
      const earlier = views();
      const page = await (await scene.visitor()).open(scene.stack.fixture);
      if (before) await runBaseCode(page, otherPixelId);
      await init(page, scene.stack.config);
      await fired(page);
      if (!before) await runBaseCode(page, otherPixelId);
      await until('the other pixel has viewed the page', () => views() > earlier);
      assert.deepEqual(await told(page), ['Pageview', 'Contact']);
      assert.deepEqual(await told(page, otherPixelId), ['Pageview']);
    });
  }

  test('a route is viewed once where the page’s own base code watches the address', async () => {
    const page = await (await scene.visitor()).open(scene.stack.fixture);
    await runBaseCode(page, pixelId);
    await init(page, scene.stack.config);
    await fired(page);
    await page.evaluate(() => {
      history.pushState(null, '', '?step=1');
      window.duet.page();
    });
    assert.deepEqual(await told(page), ['Pageview', 'Pageview', 'Contact']);
  });
});
