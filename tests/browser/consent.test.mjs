// Consent applies to both legs. While it is pending, Duet sends and stores nothing. When it is granted, Duet sends the
// waiting events. When it is denied, Duet removes them.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { sdkOn, stopClock } from './browser.mjs';
import { call, init, kept, report, stored } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';

inBrowsers(engines, (scene) => {
  /** Opens a page with pending consent that makes some calls. Also returns the list of the page's requests. */
  async function undecided() {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const page = await visitor.page();
    // With a stopped clock, all events that are released together go out in one request.
    await stopClock(page);
    const requests = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`${stack.fixture}?ttclid=E.C.P.undecided`);
    await sdkOn(page);
    await init(page, { ...stack.config, consent: 'pending' });
    await call(page, 'identify', { email: 'lan@example.com', externalId: 'lan' });
    const ids = [
      await call(page, 'trackDualEvent', 'ViewContent'),
      await call(page, 'trackServerInitiateCheckout', { planId: 'exam', value: 199000, orderId: randomUUID() }),
    ];
    return { visitor, page, requests, ids };
  }

  /**
   * Sends another visitor's event through the whole system. If the page of this test leaked anything, it would arrive by
   * then too.
   */
  async function anotherVisitorComesAndGoes() {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const { eventId } = await report(page, 'trackDualEvent', 'Contact');
    await stack.bothLegs(eventId);
  }

  const foreign = ({ requests }) => requests.filter((url) => !/\/(pages|duet-sdk)\//.test(url) && !url.startsWith('data:'));

  async function assertNothingLeft(scene, { page, ids, visitor }) {
    assert.deepEqual(await kept(page), {}, 'no kind of storage may contain anything');
    assert.deepEqual(await visitor.context.cookies(), []);
    const posted = scene.stack.posted().map((event) => event.event_id);
    assert.deepEqual(posted.filter((id) => ids.includes(id)), []);
    for (const id of ids) assert.deepEqual(await scene.stack.sandbox.conversionsOf(id), []);
  }

  test('while consent is pending nothing is sent, loaded or stored', async () => {
    const one = await undecided();
    await call(one.page, 'flush');
    await anotherVisitorComesAndGoes();
    assert.deepEqual(foreign(one), []);
    await assertNothingLeft(scene, one);
    assert.equal(await call(one.page, 'pending'), 2);
  });

  test('once consent is granted, what waited arrives under the ids it was given', async () => {
    const { stack } = scene;
    const { page, ids } = await undecided();
    await call(page, 'setConsent', 'granted');
    for (const id of ids) {
      const [conversion] = await stack.bothLegs(id);
      assert.equal(conversion.user.ttclid, 'E.C.P.undecided');
    }
    assert.deepEqual(stack.firedInOrder(ids), ids, 'the Pixel must get the events in the order of the calls');
    assert.deepEqual(
      stack.posted().map((event) => event.event_id).filter((id) => ids.includes(id)),
      ids,
      'the proxy must get the events in the order of the calls',
    );
  });

  test('once consent is denied, what waited is forgotten and nothing more is reported', async () => {
    const one = await undecided();
    await call(one.page, 'setConsent', 'denied');
    const { eventId, delivery } = await report(one.page, 'trackDualEvent', 'ViewContent');
    assert.equal(delivery.status, 'consent');
    await anotherVisitorComesAndGoes();
    assert.deepEqual(foreign(one), []);
    await assertNothingLeft(scene, { ...one, ids: [...one.ids, eventId] });
    assert.equal(await call(one.page, 'pending'), 0);
  });

  test('taking consent back clears what Duet kept of the visitor', async () => {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const page = await visitor.open(`${stack.fixture}?ttclid=E.C.P.regretted`);
    await init(page, stack.config);
    await call(page, 'identify', { email: 'lan@example.com' });
    const { eventId } = await report(page, 'trackDualEvent', 'InitiateCheckout', {}, { orderId: randomUUID() });
    await stack.bothLegs(eventId);
    assert.notDeepEqual(await stored(page), {});

    await call(page, 'setConsent', 'denied');
    assert.deepEqual(await stored(page), {});
    const cookies = await visitor.context.cookies();
    assert.deepEqual(cookies.filter(({ name }) => name === 'ttclid'), []);
    const late = await report(page, 'trackDualEvent', 'ViewContent');
    await anotherVisitorComesAndGoes();
    assert.ok(!stack.posted().some((event) => event.event_id === late.eventId));
    assert.deepEqual(await stack.sandbox.conversionsOf(late.eventId), []);
  });

  test('a Pixel that runs is told to hold, to stop and to go on, and does', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const before = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(before.eventId);
    const pixelConsent = () => page.evaluate(() => window.ttq._sandbox.consent());
    assert.equal(await pixelConsent(), 'granted');

    await call(page, 'setConsent', 'pending');
    assert.equal(await pixelConsent(), 'held');
    const held = await call(page, 'trackDualEvent', 'ViewContent');
    await call(page, 'setConsent', 'granted');
    assert.equal(await pixelConsent(), 'granted');
    await stack.bothLegs(held);

    await call(page, 'setConsent', 'denied');
    assert.equal(await pixelConsent(), 'revoked');
    const denied = await report(page, 'trackDualEvent', 'ViewContent');
    assert.equal(denied.delivery.status, 'consent');
    await call(page, 'setConsent', 'granted');
    const after = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(after.eventId);
    assert.deepEqual(await stack.sandbox.conversionsOf(denied.eventId), []);
  });
});
