// A page on one origin reports to a proxy on another: without a preflight, with an answer it can read, and with
// the cookies of the proxy's own host.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { eventsIn, trackPath } from './stack.mjs';
import { tap } from './tap.mjs';

const shop = (site) => `http://shop.localhost:${site.port}`;

inBrowsers(engines, (scene) => {
  let api;
  before(async () => {
    api = await tap(scene.stack.proxy.port);
  });
  after(() => api.stop());

  async function open(query = '') {
    const page = await (await scene.visitor()).open(`${shop(scene.stack.site)}/pages/fixture.html${query}`);
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
