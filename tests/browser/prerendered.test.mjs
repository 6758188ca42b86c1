// A prerendered page reports nothing until the browser shows the page. If the browser never shows the page, the page reports
// nothing at all.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openUncontrolled, sdkOn } from './browser.mjs';
import { call, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { until } from './until.mjs';

async function anotherVisitorComesAndGoes({ stack, visitor }) {
  const page = await (await visitor()).open(stack.fixture);
  await init(page, stack.config);
  const { eventId } = await report(page, 'trackDualEvent', 'Contact');
  await stack.bothLegs(eventId);
}

inBrowsers(engines, (scene) => {
  /** Opens a page on which `document.prerendering` is true until `window.show()` is called. Also returns the list of the page's requests. */
  async function prerendered() {
    const { stack } = scene;
    const page = await (await scene.visitor()).page();
    await page.evaluateOnNewDocument(() => {
      let isHidden = true;
      Object.defineProperty(Document.prototype, 'prerendering', { get: () => isHidden });
      window.laterMs = 0;
      const { now } = Date;
      Date.now = () => now() + window.laterMs;
      window.show = () => {
        isHidden = false;
        document.dispatchEvent(new Event('prerenderingchange'));
      };
    });
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`${stack.fixture}?ttclid=E.C.P.prerendered`);
    await sdkOn(page);
    await init(page, stack.config);
    await call(page, 'identify', { email: 'lan@example.com' });
    const ids = [
      await call(page, 'trackDualEvent', 'ViewContent'),
      await call(page, 'trackServerInitiateCheckout', { planId: 'exam', value: 199000, orderId: `SHOWN${scene.name}` }),
    ];
    await call(page, 'page');
    await call(page, 'flush');
    return { page, ids, requests };
  }

  const foreign = (requests) => requests.filter((url) => !/\/(pages|duet-sdk)\//.test(url) && !url.startsWith('data:'));

  test('nothing is sent, loaded or stored before it is shown, nor when it is thrown away', async () => {
    const { page, ids, requests } = await prerendered();
    await anotherVisitorComesAndGoes(scene);
    assert.deepEqual(foreign(requests), []);
    assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('duet:'))), []);
    await page.evaluate(() => dispatchEvent(new Event('pagehide')));
    await anotherVisitorComesAndGoes(scene);
    assert.deepEqual(foreign(requests), []);
    assert.ok(!scene.stack.posted().some((event) => ids.includes(event.event_id)));
  });

  test('its events belong to the moment in which it is shown', async () => {
    const { stack } = scene;
    const { page, ids } = await prerendered();
    const called = Date.now();
    await page.evaluate(() => {
      window.laterMs = 120_000;
      window.show();
    });
    for (const id of ids) {
      const [{ user, signals }] = await stack.bothLegs(id);
      assert.equal(user.ttclid, 'E.C.P.prerendered');
      for (const { match_keys: keys } of signals) assert.ok(keys.includes('email'));
    }
    const posted = stack.posted().filter((event) => ids.includes(event.event_id));
    assert.deepEqual(posted.map((event) => event.event_id), ids);
    for (const event of posted) assert.ok(event.event_time * 1000 > called + 60_000, 'the event’s time must be the time at which the page was shown');
    await until('the page is viewed', () => stack.pixelEvents().some(({ event, context }) =>
      event === 'Pageview' && context.page.url.includes('E.C.P.prerendered')));
  });
});

inBrowsers(['chromium'], (scene) => {
  /**
   * Opens a page that makes the browser prerender another page. The prerendered page reports `early`, and the open page
   * reports `meanwhile`. Then the visitor goes to the prerendered page, or to the address `to`. Returns a function that
   * ends the browser.
   */
  function goOn({ early, meanwhile, to }) {
    const { fixture } = scene.stack;
    // The open page's policy allows the inline rules for prerendering only with a nonce.
    const nonce = 'rules';
    const config = { ...scene.stack.config, nonce };
    const address = (page, values) => {
      const url = new URL(page, fixture);
      for (const [name, value] of Object.entries({ ...values, nonce, config: JSON.stringify(config) })) url.searchParams.set(name, value);
      return url.href;
    };
    const prerender = address('shown.html', { id: early });
    return openUncontrolled(address('goes_on.html', { id: meanwhile, prerender, to: to ?? prerender }));
  }

  const posted = (ids) => scene.stack.posted().filter((event) => ids.includes(event.event_id));

  test('what the browser prerenders is reported once, when the visitor goes there', async () => {
    const { stack } = scene;
    const ids = ['meanwhile', 'early'];
    const end = await goOn({ early: 'early', meanwhile: 'meanwhile' });
    for (const id of ids) await stack.bothLegs(id);
    await end();
    assert.deepEqual(posted(ids).map((event) => event.event_id), ids);
    assert.equal(posted(['early'])[0].properties.description, 'called while prerendering');
    assert.deepEqual(stack.firedInOrder(['early']), ['early']);
  });

  test('what the browser prerenders is not reported if the visitor goes elsewhere', async () => {
    const { stack } = scene;
    const end = await goOn({ early: 'unseen', meanwhile: 'gone', to: stack.fixture });
    await stack.bothLegs('gone');
    await anotherVisitorComesAndGoes(scene);
    await end();
    assert.deepEqual(posted(['unseen']), []);
    assert.deepEqual(stack.firedInOrder(['unseen']), []);
  });
});
