// A page on one origin reports to a proxy on another origin. The browser sends no preflight, the page can read the answer,
// and the proxy gets the cookies of its own host. Reporting also works beside a library whose tracing headers cause a
// preflight.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sdkOn } from './browser.mjs';
import { call, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { eventsIn, trackPath } from './stack.mjs';
import { tap } from './tap.mjs';
import { until } from './until.mjs';

const shop = (site) => `http://shop.localhost:${site.port}`;

/** Tracing libraries replace `window.fetch` in one of these ways, before other scripts run on the page. */
const traced = {
  'in the options': () => {
    const { fetch } = window;
    window.fetch = (input, options) => fetch(input, {
      ...options,
      headers: {
        ...options?.headers,
        'sentry-trace': '771a43a4192642f0b136d5159a501700-7a3b1f2c4d5e6f70-1',
        baggage: 'sentry-environment=production',
        traceparent: '00-771a43a4192642f0b136d5159a501700-7a3b1f2c4d5e6f70-01',
      },
    });
  },
  'on a Request': () => {
    const { fetch } = window;
    window.fetch = (input, options) => {
      const request = new Request(input, options);
      request.headers.set('sentry-trace', '771a43a4192642f0b136d5159a501700-7a3b1f2c4d5e6f70-1');
      request.headers.set('baggage', 'sentry-environment=production');
      request.headers.set('traceparent', '00-771a43a4192642f0b136d5159a501700-7a3b1f2c4d5e6f70-01');
      return fetch(request);
    };
  },
};

inBrowsers(engines, (scene) => {
  let api;
  before(async () => {
    api = await tap(scene.stack.proxy.port);
  });
  after(() => api.stop());

  async function open(query = '', script = () => {}) {
    const page = await (await scene.visitor()).page();
    await page.evaluateOnNewDocument(script);
    await page.goto(`${shop(scene.stack.site)}/pages/fixture.html${query}`);
    await sdkOn(page);
    const endpoint = `http://api.shop.localhost:${api.port}${trackPath}`;
    await init(page, { ...scene.stack.config, endpoint, credentials: 'include' });
    return page;
  }

  test('the page reads the answer, and no preflight was needed for it', async () => {
    const page = await open();
    const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent');
    assert.equal(delivery.status, 'accepted');
    await scene.stack.bothLegs(eventId);
    assert.deepEqual(api.log.filter(({ method }) => method !== 'POST'), []);
    assert.ok(eventsIn(api.log).some((event) => event.event_id === eventId));
  });

  test('the click id comes back in the cookie of the proxy’s host', async () => {
    const page = await open('?ttclid=E.C.P.cross-origin');
    const first = await report(page, 'trackDualEvent', 'ViewContent');
    const second = await report(page, 'trackDualEvent', 'ViewContent');
    const post = (eventId) => eventsIn(api.log).find((event) => event.event_id === eventId).post;
    const [cookie] = post(first.eventId).answer.headers['set-cookie'];
    assert.match(cookie, /^ttclid=E\.C\.P\.cross-origin; Max-Age=2592000; Path=\/; SameSite=Lax/);
    assert.match(post(second.eventId).headers.cookie, /(^|; )ttclid=E\.C\.P\.cross-origin(;|$)/);
    await scene.stack.bothLegs(second.eventId);
  });

  for (const [where, script] of Object.entries(traced)) {
    const posts = (eventId) => eventsIn(api.log).filter((event) => event.event_id === eventId).map(({ post }) => post);

    test(`an event arrives at once where a library puts tracing headers ${where}`, async () => {
      const page = await open('', script);
      const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent');
      assert.equal(delivery.status, 'accepted');
      await scene.stack.bothLegs(eventId);
      const [{ headers }, ...others] = posts(eventId);
      assert.ok(headers['sentry-trace'] && headers.baggage && headers.traceparent);
      assert.deepEqual(others, []);
    });

    test(`an event arrives although the page is left at once, where a library puts tracing headers ${where}`, async () => {
      const page = await open('', script);
      const eventId = await call(page, 'trackDualEvent', 'ClickButton');
      await page.goto(`${shop(scene.stack.site)}/pages/next.html`);
      await until(`${eventId} is accepted`, () => posts(eventId).some(({ status }) => status === 202));
      await scene.stack.serverLeg(eventId);
    });
  }

  test('a page of an origin nobody listed is refused and its event kept', async () => {
    const page = await (await scene.visitor()).open(scene.stack.fixture);
    const endpoint = `http://127.0.0.1:${api.port}${trackPath}`;
    await init(page, { ...scene.stack.config, endpoint, pixel: 'off' });
    const { eventId, delivery } = await report(page, 'trackServerEvent', 'ViewContent');
    assert.equal(delivery.status, 'queued');
    assert.equal(await page.evaluate(() => window.duet.pending()), 1);
    assert.equal(eventsIn(api.log).find((event) => event.event_id === eventId).post.status, 403);
  });
}, (site) => ({ DUET_ALLOWED_ORIGINS: shop(site) }));
