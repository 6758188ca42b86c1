// A page script or a consent tool clears this site's storage, for example at a sign-out. The SDK sends the pending events
// from memory, and does not write removed data again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, heard, init, report, stored } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  /** Opens a page with one pending event. The event is pending because the proxy is stopped. */
  async function withOneWaiting(visitor) {
    const { stack } = scene;
    const page = await visitor.open(stack.fixture);
    await init(page, { ...stack.config, pixel: 'off' });
    await stack.proxy.stop();
    const { eventId, delivery } = await report(page, 'trackServerEvent', 'ViewContent');
    assert.equal(delivery.status, 'queued');
    return { page, eventId };
  }

  const statuses = async (page, eventId) =>
    (await heard(page, 'delivery')).filter((delivery) => delivery.eventId === eventId).map(({ status }) => status);

  for (const [what, clear] of [
    ['clear()', () => localStorage.clear()],
    ['one key after the other', () => Object.keys(localStorage).forEach((key) => localStorage.removeItem(key))],
  ]) {
    test(`an event that waits goes out from memory after storage was cleared by ${what}`, async () => {
      const { stack } = scene;
      const { page, eventId } = await withOneWaiting(await scene.visitor());
      await page.evaluate(clear);
      assert.equal(await call(page, 'pending'), 1);
      await call(page, 'flush');
      assert.ok(!(await statuses(page, eventId)).includes('accepted'), 'the event must not be accepted, because the proxy is stopped');
      await stack.proxy.start();
      await until('no event is pending on the page', async () => {
        await call(page, 'flush');
        return (await call(page, 'pending')) === 0;
      });
      assert.equal((await statuses(page, eventId)).at(-1), 'accepted');
      const [{ signals }] = await stack.serverLeg(eventId);
      assert.equal(signals.length, 1);
      assert.ok(!JSON.stringify(await stored(page)).includes(eventId), 'the event must not be stored again');
    });
  }

  test('a sign-out that clears storage and leaves the page at once costs no event', async () => {
    const { stack } = scene;
    const { page, eventId } = await withOneWaiting(await scene.visitor());
    await stack.proxy.start();
    const last = `${eventId}-last`;
    await page.evaluate((last) => {
      document.querySelector('#next').addEventListener('click', () => {
        window.duet.trackServerEvent('ClickButton', {}, { eventId: last });
        window.duet.reset();
        localStorage.clear();
        sessionStorage.clear();
      });
    }, last);
    await Promise.all([page.waitForNavigation(), page.$eval('#next', (link) => link.click())]);
    for (const id of [eventId, last]) await stack.serverLeg(id);
    assert.deepEqual(Object.keys(await stored(page)), []);
  });

  test('another tab that clears storage costs no event either', async () => {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const other = await visitor.open(stack.fixture);
    const { page, eventId } = await withOneWaiting(visitor);
    await other.evaluate(() => localStorage.clear());
    await stack.proxy.start();
    await until('no event is pending on the page', async () => {
      await call(page, 'flush');
      return (await call(page, 'pending')) === 0;
    });
    await stack.serverLeg(eventId);
  });

  test('who was here and what brought them is still known to this page, and not written again', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(`${stack.fixture}?ttclid=E.C.P.cleared`);
    await init(page, { ...stack.config, pixel: 'off' });
    await call(page, 'identify', { email: 'lan@example.com' });
    assert.ok((await stored(page))['duet:user']);
    const left = await page.evaluate(async () => {
      localStorage.clear();
      document.cookie = 'ttclid=;max-age=0;path=/';
      window.duet.setConsent('pending');
      window.duet.setConsent('granted');
      await window.duet.flush();
      return [document.cookie, ...Object.keys(localStorage)].join();
    });
    assert.ok(!/ttclid|duet:user/.test(left), left);
    const { eventId, delivery } = await report(page, 'trackServerEvent', 'ViewContent');
    assert.equal(delivery.status, 'accepted');
    const [{ user }] = stack.posted().filter((event) => event.event_id === eventId);
    assert.match(user.email, /^[0-9a-f]{64}$/);
    assert.equal(user.ttclid, 'E.C.P.cleared');
    assert.deepEqual(Object.keys(await stored(page)), []);
    await stack.serverLeg(eventId);
  });

  test('an order that this page has reported is not reported again', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, { ...stack.config, pixel: 'off' });
    const order = { orderId: `CLEARED${scene.name}`, value: 99000 };
    const first = await report(page, 'trackServerCompletePayment', order);
    assert.equal(first.delivery.status, 'accepted');
    await page.evaluate(() => localStorage.clear());
    const second = await report(page, 'trackServerCompletePayment', order);
    assert.equal(second.delivery.status, 'duplicate');
    assert.equal(stack.posted().filter((event) => event.event_id === first.eventId).length, 1);
  });

  test('an event that waits in one tab is forgotten when consent is denied in another', async () => {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const other = await visitor.open(stack.fixture);
    await init(other, { ...stack.config, pixel: 'off' });
    const { page, eventId } = await withOneWaiting(visitor);
    await call(other, 'setConsent', 'denied');
    await until('no event is pending on the page', async () => (await call(page, 'pending')) === 0);
    assert.equal((await statuses(page, eventId)).at(-1), 'consent');
    assert.deepEqual(await stored(page), {});
    await stack.proxy.start();
    // Before consent was denied, the page sent retries by itself, so posts are counted only from here on.
    const before = stack.posted().length;
    await call(page, 'flush');
    assert.equal(stack.posted().length, before);
  });
});
