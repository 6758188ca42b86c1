// A visitor leaves the page while the proxy is slow, stopped or restarting, while too many requests are running, or in a
// browser without requests that continue after a page is left. Unsent events are sent on the next visit, and TikTok counts
// each event once.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { holds, sdkOn } from './browser.mjs';
import { call, init } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { means } from './leaving.mjs';
import { eventsIn, saidOf, takenOnce, trackPath } from './stack.mjs';
import { listen, pass } from './tap.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  /**
   * An HTTP server in front of the proxy. While `shut` is true, requests wait in the gate and are counted in `seen`. The
   * gate also serves the site's files, except the files in `withheld`.
   */
  let gate;
  before(async () => {
    const log = [];
    const standing = [];
    gate = {
      shut: false,
      seen: 0,
      posts: (eventId) => eventsIn(log).filter((event) => event.event_id === eventId),
      said: (eventId) => saidOf(log, eventId),
      takenOnce: (eventId) => takenOnce(log, eventId),
      open() {
        gate.shut = false;
        standing.splice(0).forEach((go) => go());
      },
    };
    const server = await listen(async (incoming, outgoing) => {
      if (!incoming.url.startsWith(trackPath)) {
        return gate.withheld?.test(incoming.url) || pass(incoming, outgoing, scene.stack.site.port, []);
      }
      gate.seen += 1;
      if (gate.shut) await new Promise((go) => standing.push(go));
      return pass(incoming, outgoing, scene.stack.proxy.port, log);
    });
    gate.url = `http://127.0.0.1:${server.port}`;
    gate.endpoint = gate.url + trackPath;
    gate.stop = server.stop;
  });
  after(() => gate?.stop());

  async function opened(visitor, script = () => {}) {
    const page = await visitor.page();
    await page.evaluateOnNewDocument(script);
    await page.goto(scene.stack.fixture);
    await sdkOn(page);
    await init(page, { ...scene.stack.config, pixel: 'off', endpoint: gate.endpoint });
    return page;
  }

  /**
   * Opens the next visit a minute later. By then the SDK no longer waits for the running requests of the page that was
   * left.
   */
  const openedLater = (visitor) => opened(visitor, () => { const { now } = Date; Date.now = () => now() + 60_000; });

  /** Checks that an event is delivered once and that no event waits on the page. The number of requests does not matter. */
  async function assertSettled(page, eventId) {
    const [{ signals }] = await scene.stack.serverLeg(eventId);
    assert.equal(signals.length, 1, 'TikTok must get the event once');
    await until('no event is pending on the page', async () => (await call(page, 'pending')) === 0);
    await gate.takenOnce(eventId);
  }

  test('an event is not lost when its visitor leaves while the proxy is slow', async () => {
    const visitor = await scene.visitor();
    const page = await opened(visitor);
    gate.shut = true;
    const seen = gate.seen;
    const eventId = await call(page, 'trackServerEvent', 'ViewContent');
    await page.close();
    await until('the gate has received the request', () => gate.seen > seen);
    gate.open();
    await scene.stack.serverLeg(eventId);
    await assertSettled(await openedLater(visitor), eventId);
  });

  test('an event is not lost when its visitor leaves while the proxy is down', async () => {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const page = await opened(visitor);
    await stack.proxy.stop();
    const eventId = await call(page, 'trackServerEvent', 'ViewContent');
    await page.close();
    await until('the request has failed with a 502', () => gate.posts(eventId).some(({ post }) => post.status === 502));
    await stack.proxy.start();
    await assertSettled(await openedLater(visitor), eventId);
  });

  test('no event is lost when its visitor leaves while the proxy starts again', async () => {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const ids = [];
    for (let round = 0; round < 3; round += 1) {
      const page = await opened(visitor);
      const back = stack.proxy.stop().then(() => stack.proxy.start());
      ids.push(await call(page, 'trackServerEvent', 'ViewContent'));
      await page.close();
      await back;
    }
    const page = await openedLater(visitor);
    for (const eventId of ids) await assertSettled(page, eventId);
  });

  // A browser allows only 64 KiB at a time for requests that continue after their page is left.
  test('what is under way when the page is left may be more than the browser lets live on', async () => {
    const visitor = await scene.visitor();
    const page = await opened(visitor);
    gate.shut = true;
    const ids = await page.evaluate(() => {
      const large = 'x'.repeat(6_000);
      return Array.from({ length: 40 }, () => window.duet.trackServerEvent('ViewContent', { description: large }).eventId);
    });
    await page.close();
    gate.open();
    const again = await openedLater(visitor);
    for (const eventId of ids) await assertSettled(again, eventId);
  });

  /** Opens a page, breaks it with `breakIt` so that it cannot send an event in the usual way, makes a call and leaves the page. */
  async function leftUnsent(breakIt) {
    const visitor = await scene.visitor();
    const page = await opened(visitor, breakIt);
    const eventId = await page.evaluate(() => {
      const { eventId } = window.duet.trackServerEvent('ViewContent');
      dispatchEvent(new Event('pagehide'));
      return eventId;
    });
    await page.close();
    return { visitor, eventId };
  }

  test('where no request outlives its page an event leaves as a beacon, and the next visit makes sure of it', async () => {
    const { visitor, eventId } = await leftUnsent(() => {
      delete Request.prototype.keepalive;
      window.fetch = () => Promise.reject();
    });
    const [beacon] = await until('the beacon arrives', () => gate.posts(eventId).length > 0 && gate.posts(eventId));
    assert.equal(means(beacon), 'beacon');
    await scene.stack.serverLeg(eventId);
    await assertSettled(await openedLater(visitor), eventId);
    assert.ok(gate.said(eventId).includes('duplicate'), 'the next visit must send the event again and get the answer duplicate');
  });

  test('where nothing at all can be sent an event arrives on the next visit', async () => {
    const { visitor, eventId } = await leftUnsent(() => {
      window.fetch = () => Promise.reject();
      navigator.sendBeacon = () => false;
    });
    assert.deepEqual(gate.posts(eventId), []);
    await assertSettled(await openedLater(visitor), eventId);
    assert.ok(gate.posts(eventId).every((post) => means(post) === 'keepalive'));
  });

  for (const [what, file, query, slow] of [
    ['the module', 'external.js', '', /\.wasm$/],
    ['its translation', 'index.js', '?wasm=no', /fallback\.js$/],
  ]) {
    /** Opens a page whose module never arrives, and makes a call there. */
    async function called(consent, more = '', script = () => {}) {
      gate.withheld = slow;
      const visitor = await scene.visitor();
      const page = await visitor.page();
      await page.evaluateOnNewDocument(script);
      await page.goto(`${gate.url}/pages/late.html${query}${query ? '&' : '?'}sdk=${file}${more}`);
      await page.evaluate((config) => { window.config = config; }, { ...scene.stack.config, pixel: 'off', consent });
      await holds(page, () => window.early !== undefined);
      return { visitor, page, eventId: await page.evaluate(() => window.early) };
    }

    test(`an event is not lost when its visitor leaves before ${what} has arrived`, async () => {
      const { stack } = scene;
      async function leftEarly(...how) {
        const { page, eventId } = await called(...how);
        await page.goto(`${stack.url}/pages/next.html`);
        return eventId;
      }
      const undecided = await leftEarly('pending');
      const eventId = await leftEarly('granted');
      await stack.serverLeg(eventId);
      const [{ user }] = gate.posts(eventId);
      assert.ok(!user.email, 'the event must have no e-mail address, because the module that hashes it has not arrived');
      assert.deepEqual(gate.posts(undecided), []);
      // With the referrer policy `no-referrer`, the browser hides the page's origin in some requests (`Origin: null`). The event
      // must arrive all the same.
      await stack.serverLeg(await leftEarly('granted', '&referrer=no'));
    });

    test(`an event called before ${what} has arrived is stored, and sent by the next page where nothing else could be`, async () => {
      const { stack } = scene;
      const mute = () => {
        window.fetch = () => Promise.reject();
        navigator.sendBeacon = () => false;
      };
      const undecided = await called('pending', '', mute);
      assert.deepEqual(await undecided.page.evaluate(() => Object.keys(localStorage)), []);
      const { visitor, page, eventId } = await called('granted', '', mute);
      await page.goto(`${gate.url}/pages/next.html`);
      gate.withheld = undefined;
      assert.deepEqual(gate.posts(eventId), []);
      const next = await visitor.page();
      await next.evaluateOnNewDocument(() => { const { now } = Date; Date.now = () => now() + 60_000; });
      await next.goto(`${gate.url}/pages/fixture.html`);
      await sdkOn(next);
      await init(next, { ...stack.config, pixel: 'off' });
      await assertSettled(next, eventId);
    });

    test(`once ${what} has arrived, such an event is sent once, with who it is about`, async () => {
      const { stack } = scene;
      const { page, eventId } = await called('granted');
      assert.ok(Object.values(await page.evaluate(() => ({ ...localStorage }))).some((text) => text.includes(eventId)), 'the event must be stored');
      await page.close();
      gate.withheld = undefined;
      const other = await (await scene.visitor()).page();
      await other.goto(`${gate.url}/pages/late.html${query}${query ? '&' : '?'}sdk=${file}`);
      await other.evaluate((config) => { window.config = config; }, { ...stack.config, pixel: 'off' });
      await holds(other, () => window.early !== undefined);
      const late = await other.evaluate(() => window.early);
      await gate.takenOnce(late);
      await until('the event is not stored any more', () =>
        other.evaluate(() => Object.keys(localStorage).every((key) => !key.startsWith('duet:e:'))));
      const posts = gate.posts(late);
      assert.equal(posts.length, 1);
      assert.match(posts[0].user.email, /^[0-9a-f]{64}$/);
      await stack.serverLeg(late);
    });
  }
}, (site) => ({ DUET_ALLOWED_ORIGINS: `http://127.0.0.1:${site.port}` }));
