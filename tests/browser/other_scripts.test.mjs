// Other scripts and mistakes on the page must not lose an event. Examples are an old library that changes every array, a
// `<base>`, a template whose macro was not replaced, and an amount that is not a number.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkOn } from './browser.mjs';
import { call, heard, init, report, stored } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  async function openAfter(script, query = '') {
    const page = await (await scene.visitor()).page();
    await page.evaluateOnNewDocument(script);
    await page.goto(scene.stack.fixture + query);
    await sdkOn(page);
    return page;
  }

  for (const [what, script] of [
    ['arrays have a toJSON, as with Prototype.js', () => {
      Array.prototype.toJSON = function () { return `[${this.map((one) => JSON.stringify(one)).join(', ')}]`; };
    }],
    ['all objects have a toJSON', () => {
      Object.prototype.toJSON = function () { return String(this); };
    }],
  ]) {
    test(`events go out as they are, and from the next page too, where ${what}`, async () => {
      const { stack } = scene;
      const page = await openAfter(script);
      await init(page, { ...stack.config, pixel: 'off' });
      const contents = [{ content_id: 'exam', content_name: 'Exam', price: 99000, quantity: 1 }];
      const eventId = await page.evaluate(async (contents) => {
        const { eventId, delivery } = window.duet.trackServerEvent('ViewContent', { contents, value: 99000 });
        window.status2 = (await delivery).status;
        return eventId;
      }, contents);
      assert.equal(await page.evaluate(() => window.status2), 'accepted');
      const [event] = stack.posted().filter((event) => event.event_id === eventId);
      assert.deepEqual(event.properties.contents, contents);
      await stack.serverLeg(eventId);
    });
  }

  test('a number that is none is left out with a warning, and a large integer is a number', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const { eventId, status } = await page.evaluate(async () => {
      const contents = [{ content_id: 'exam', price: Infinity, quantity: 2n }];
      const { eventId, delivery } = window.duet.trackDualEvent('ViewContent', { contents, value: NaN });
      return { eventId, status: (await delivery).status };
    });
    assert.equal(status, 'accepted');
    const errors = await heard(page, 'error');
    assert.deepEqual(errors.map(({ field, eventId }) => [field, eventId]), [['properties.price', eventId], ['properties.value', eventId]]);
    const [{ properties }] = stack.posted().filter((event) => event.event_id === eventId);
    assert.deepEqual(properties, { contents: [{ content_id: 'exam', quantity: 2 }] });
    await stack.bothLegs(eventId);
  });

  test('a macro in the place of the click id replaces no click', async () => {
    const { stack } = scene;
    const visitor = await scene.visitor();
    await init(await visitor.open(`${stack.fixture}?ttclid=E.C.P.real`), stack.config);
    for (const macro of ['__CLICKID__', '{{click_id}}', '%25%25CLICKID%25%25', 'undefined']) {
      const page = await visitor.open(`${stack.fixture}?ttclid=${macro}`);
      await init(page, stack.config);
      const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
      const [{ user }] = stack.posted().filter((event) => event.event_id === eventId);
      assert.equal(user.ttclid, 'E.C.P.real', macro);
      assert.match((await stored(page))['duet:ttclid'], /,E\.C\.P\.real$/);
    }
  });

  test('a <base> moves neither events nor the order that is waited for, nor a script of the Pixel on this site', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(`${stack.fixture}?base=any`);
    await page.evaluate(() => {
      const base = document.createElement('base');
      base.href = 'http://elsewhere.localhost:9/shop/';
      document.head.prepend(base);
    });
    await init(page, stack.config);
    const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent');
    assert.equal(delivery.status, 'accepted');
    await stack.bothLegs(eventId);
    const orderId = `BASED${scene.name}`;
    await page.evaluate((orderId) => { window.duet.watchOrder(orderId, { intervalMs: 50 }); }, orderId);
    await until('the page has requested the order’s status', () => stack.site.log.some(({ path }) => path.endsWith(orderId)));
  });

  /** The module works until `window.trap` is set. From then on, every call of the module fails with a WebAssembly trap. */
  const trapLater = () => {
    const { Instance } = WebAssembly;
    WebAssembly.Instance = function (...from) {
      const exports = Object.entries(new Instance(...from).exports).map(([name, it]) => {
        const call = (...values) => {
          if (window.trap) throw new WebAssembly.RuntimeError('unreachable');
          return it(...values);
        };
        return [name, typeof it == 'function' ? call : it];
      });
      return { exports: Object.fromEntries(exports) };
    };
  };

  for (const [what, leave] of [
    ['sent when the page is left', (page) => page.goto(`${scene.stack.url}/pages/next.html`)],
    ['stored for the next page', async (page) => {
      await page.evaluate(() => {
        window.fetch = () => Promise.reject();
        navigator.sendBeacon = () => false;
      });
      await page.goto(scene.stack.fixture);
      await sdkOn(page);
      await page.evaluate(() => {
        const { now } = Date;
        Date.now = () => now() + 60_000;
      });
      await init(page, { ...scene.stack.config, pixel: 'off' });
    }],
  ]) {
    test(`when the module traps, what is held and what is called then is ${what}`, async () => {
      const { stack } = scene;
      const page = await openAfter(trapLater, '?ttclid=E.C.P.trapped');
      await init(page, { ...stack.config, pixel: 'off', consent: 'pending' });
      const held = await call(page, 'trackServerEvent', 'ViewContent');
      await page.evaluate(() => { window.trap = true; });
      await call(page, 'setConsent', 'granted');
      const after = await call(page, 'trackServerEvent', 'Contact');
      assert.deepEqual((await heard(page, 'error')).map(({ code }) => code), ['core']);
      assert.equal(await call(page, 'pending'), 2);
      await leave(page);
      for (const eventId of [held, after]) await stack.serverLeg(eventId);
    });
  }

  test('a module that traps over an event loses neither it nor what waits, and a refusal afterwards is heeded', async () => {
    const { stack } = scene;
    const page = await openAfter(trapLater);
    await init(page, { ...stack.config, pixel: 'off' });
    const eventId = await page.evaluate(() => {
      window.trap = true;
      return window.duet.trackServerEvent('ViewContent', {}, { orderId: `TRAP${Math.random()}` }).eventId;
    });
    assert.ok(JSON.stringify(await stored(page)).includes(eventId));
    await call(page, 'setConsent', 'denied');
    const heardOf = (await heard(page, 'delivery')).filter((delivery) => delivery.eventId === eventId);
    assert.deepEqual(heardOf.map(({ status }) => status), ['consent']);
    assert.deepEqual(await stored(page), {});
    await page.goto(`${stack.url}/pages/next.html`);
    assert.ok(!stack.posted().some((event) => event.event_id === eventId));
  });
});
