// The browser drops a rejected event only if the proxy's answer names this event and the rule that it breaks. After any
// other answer, the browser keeps the event and tries again later. An event that makes its requests fail does not block
// other events.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, heard, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { trackPath } from './stack.mjs';
import { listen, pass } from './tap.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  /**
   * Serves the stack's site, but passes requests to the track route to `shop.answers(incoming, outgoing)` first. This function
   * either answers the request and returns a true value, or returns nothing. If it returns nothing, the request goes on to the
   * proxy.
   */
  async function shopWhere(answers, use) {
    const shop = { answers, asked: [] };
    const server = await listen(async (incoming, outgoing) => {
      const path = incoming.url;
      if (!path.startsWith(trackPath)) return pass(incoming, outgoing, scene.stack.site.port, []);
      shop.asked.push(`${incoming.method} ${path}`);
      const log = [];
      if (await shop.answers(incoming, outgoing)) return undefined;
      return pass(incoming, outgoing, scene.stack.site.port, log, { path: trackPath });
    });
    try {
      const page = await (await scene.visitor()).open(`http://127.0.0.1:${server.port}/pages/fixture.html`);
      await init(page, { ...scene.stack.config, pixel: 'off' });
      return await use(page, shop);
    } finally {
      await server.stop();
    }
  }

  const says = (status, body, headers = {}) => (incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(status, { 'content-type': 'text/html', ...headers }).end(body);
    return true;
  };
  const proxys = (status, code) => says(status, JSON.stringify({ success: false, code, error: 'No.' }), { 'content-type': 'application/json' });

  const settled = (page) =>
    until('no event is pending on the page', async () => {
      await call(page, 'flush');
      return (await call(page, 'pending')) === 0;
    });

  for (const [what, answers] of [
    ['a 404 of its own', proxys(404, 'not_found')],
    ['a 405', says(405, 'no')],
    ['a 410', says(410, 'gone')],
    ['a 400 of one event', proxys(400, 'not_json')],
    ['a 413 of one event', proxys(413, 'too_large')],
    ['a 422 that names nothing', proxys(422, 'invalid')],
    ['a page of HTML', says(200, '<!doctype html><title>Sign in</title>')],
    ['a 302 to a page', says(302, '', { location: '/pages/next.html' })],
    ['a rejection without a rule', async (incoming, outgoing) => {
      let text = '';
      for await (const chunk of incoming) text += chunk;
      const results = JSON.parse(text).events.map(({ event_id }) => ({ event_id, status: 'invalid' }));
      return proxys422(outgoing, results);
    }],
  ]) {
    test(`an event outlives ${what}`, () => shopWhere(answers, async (page, shop) => {
      const { eventId, delivery } = await report(page, 'trackServerEvent', 'ViewContent');
      assert.equal(delivery.status, 'queued');
      assert.equal(await call(page, 'pending'), 1);
      shop.answers = () => false;
      await settled(page);
      await scene.stack.serverLeg(eventId);
    }));
  }

  function proxys422(outgoing, results) {
    outgoing.writeHead(422, { 'content-type': 'application/json' });
    outgoing.end(JSON.stringify({ success: false, code: 'invalid', error: 'No.', results }));
    return true;
  }

  for (const [status, posts] of [[308, 1], [301, 2]]) {
    test(`an event arrives where a ${status} adds a slash to the track path`, () => {
      const withSlash = (incoming, outgoing) => incoming.url === trackPath && says(status, '', { location: `${trackPath}/` })(incoming, outgoing);
      return shopWhere(withSlash, async (page, shop) => {
        const eventId = await call(page, 'trackServerEvent', 'ViewContent');
        await settled(page);
        await scene.stack.serverLeg(eventId);
        assert.equal(shop.asked.filter((line) => line === `POST ${trackPath}`).length, 1, shop.asked.join());
        assert.equal(shop.asked.filter((line) => line.startsWith('POST')).length, 2, shop.asked.join());
        assert.equal(shop.asked.some((line) => line.startsWith('GET')), posts > 1, 'the browser must follow a 301, but not a 308, with a GET');
      });
    });
  }

  test('one event that spoils its request is sent alone, then last, and keeps nobody waiting', () => {
    const spoilt = async (incoming, outgoing) => {
      const chunks = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      if (body.includes('poison')) return proxys(400, 'not_json')(incoming, outgoing);
      await handOn(body, outgoing);
      return true;
    };
    async function handOn(body, outgoing) {
      const { port } = scene.stack.site;
      const answer = await fetch(`http://127.0.0.1:${port}${trackPath}`, {
        method: 'POST',
        body,
        headers: { origin: `http://127.0.0.1:${port}` },
      });
      outgoing.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
    }
    return shopWhere(spoilt, async (page, shop) => {
      const ids = await page.evaluate(() =>
        ['one', 'poison', 'three'].map((description) => window.duet.trackServerEvent('ViewContent', { description }).eventId));
      const accepted = async () => (await heard(page, 'delivery')).filter(({ status }) => status === 'accepted').map(({ eventId }) => eventId);
      await until('the other events are accepted', async () => (await accepted()).length === 2);
      assert.deepEqual((await accepted()).sort(), [ids[0], ids[2]].sort());
      assert.equal(await call(page, 'pending'), 1);
      const later = await report(page, 'trackServerEvent', 'Contact');
      await until('a later event is accepted', async () => (await accepted()).includes(later.eventId));
      shop.answers = () => false;
      await settled(page);
      for (const eventId of [...ids, later.eventId]) await scene.stack.serverLeg(eventId);
    });
  });

  test('an event of more than 60 KB is refused at the call, with an error and on both legs', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent', { description: 'đ'.repeat(30_000) });
    assert.equal(delivery.status, 'invalid');
    assert.deepEqual(delivery.errors.map(({ field, rule }) => [field, rule]), [['properties', 'too_large']]);
    const errors = await heard(page, 'error');
    assert.deepEqual(errors.map(({ code }) => code), ['too_large']);
    assert.equal(await call(page, 'pending'), 0);
    const next = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(next.eventId);
    assert.ok(![...stack.posted(), ...stack.pixelEvents()].some((event) => event.event_id === eventId));
  });
});
