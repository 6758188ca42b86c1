// Every call reports its event on both legs with the same name and the same event_id, and TikTok counts the event once.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { call, heard, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { until } from './until.mjs';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

const person = { email: ' Lan@Example.com', phone: '0901 234 567', externalId: 'user_2abcDEF' };
const digests = {
  email: sha256('lan@example.com'),
  phone: sha256('+84901234567'),
  externalId: sha256('user_2abcDEF'),
};
const other = { email: 'minh@example.com', phone: '+84912345678', userId: 'minh' };
const otherDigests = {
  email: sha256('minh@example.com'),
  phone: sha256('+84912345678'),
  externalId: sha256('minh'),
};

const plan = { planId: 'exam', planName: 'Exam', value: 199000, currency: 'VND' };
const item = { contentId: 'exam', contentName: 'Exam', value: 199000, currency: 'VND' };

/** Each row: the call, its arguments, and the expected event's name. */
const dual = [
  ['trackServerViewContent', [item], 'ViewContent'],
  ['trackServerSearch', [{ query: 'toán 12' }], 'Search'],
  ['trackServerClickButton', [{ contentName: 'Compare plans' }], 'ClickButton'],
  ['trackServerAddToCart', [item], 'AddToCart'],
  ['trackServerInitiateCheckout', [{ ...plan, orderId: 'NET1CHECKOUT' }], 'InitiateCheckout'],
  ['trackServerAddPaymentInfo', [plan], 'AddPaymentInfo'],
  ['trackServerCompleteRegistration', [{ contentName: 'Student' }], 'CompleteRegistration'],
  ['trackServerStartTrial', [plan], 'StartTrial'],
  ['trackServerSubscribe', [{ ...plan, billingCycle: 'monthly', orderId: 'NET2SUBSCRIBE' }], 'Subscribe'],
  ['trackServerCompletePayment', [{ ...plan, orderId: 'NET3PAYMENT' }], 'CompletePayment'],
  ['trackServerPurchase', [{ ...plan, orderId: 'NET4PURCHASE' }], 'Purchase'],
  ['trackDualEvent', ['Contact', { description: 'A question' }], 'Contact'],
  ['trackDualEvent', ['notebook_opened', {}], 'notebook_opened'],
];

/** The same, for the call forms of the former Next.js implementation. */
const former = [
  ['trackTikTokDualEvent', ['Lead', { description: 'Newsletter' }, other, 'TEST123'], 'Lead'],
  ['trackServerSubscribe', ['exam', 'Exam', 199000, 'monthly', other], 'Subscribe'],
  ['trackServerViewContent', ['exam', 'Exam', 199000, other], 'ViewContent'],
  ['trackServerCompletePayment', ['NET5PAYMENT', 199000, 'Exam', other], 'CompletePayment'],
  ['trackServerInitiateCheckout', ['exam', 'Exam', 199000, other], 'InitiateCheckout'],
];

async function serverCopy({ stack }, eventId) {
  const requests = await stack.sandbox.requests();
  return requests.flatMap(({ body }) => body.data).find((event) => event.event_id === eventId);
}

async function assertOneConversion(scene, page, [name, args, event], expected) {
  const { stack } = scene;
  const { eventId, delivery } = await report(page, name, ...args);
  assert.equal(delivery.status, 'accepted');

  const conversions = await stack.bothLegs(eventId);
  assert.equal(conversions.length, 1);
  const [{ signals }] = conversions;
  assert.deepEqual(signals.map(({ channel }) => channel).sort(), ['pixel', 'server']);
  assert.deepEqual(signals.map((signal) => signal.event), [event, event]);

  const pixel = stack.pixelEvents().find((sent) => sent.event_id === eventId);
  const server = await serverCopy(scene, eventId);
  assert.deepEqual(
    {
      email: pixel.context.user.sha256_email,
      phone: pixel.context.user.sha256_phone_number,
      externalId: pixel.context.user.external_id,
    },
    expected,
    'the Pixel must get these digests of the visitor',
  );
  const first = (value) => (Array.isArray(value) ? value[0] : value);
  assert.deepEqual(
    {
      email: first(server.user.email),
      phone: first(server.user.phone),
      externalId: first(server.user.external_id),
    },
    expected,
    'the server leg must have the same digests of the visitor',
  );
  for (const key of ['value', 'currency', 'order_id']) {
    assert.equal(server.properties?.[key], pixel.properties[key], `both legs must have the same ${key}`);
  }
}

inBrowsers(engines, (scene) => {
  async function identifiedPage() {
    const page = await (await scene.visitor()).open(scene.stack.fixture);
    await init(page, scene.stack.config);
    await call(page, 'identify', person);
    return page;
  }

  async function assertEach(page, rows, expected) {
    for (const row of rows) {
      await assertOneConversion(scene, page, row, expected).catch((cause) => {
        throw new Error(`${row[0]} ${JSON.stringify(row[1])}: ${cause.message}`, { cause });
      });
    }
  }

  test('each call reports its event on both legs, for the person who was identified', async () => {
    await assertEach(await identifiedPage(), dual, digests);
  });

  test('each former call form reports its event on both legs, for the person it names', async () => {
    const page = await identifiedPage();
    await assertEach(page, former, otherDigests);
    await assertEach(page, [['trackDualEvent', ['Download', {}], 'Download']], digests);
  });

  test('an order of dong and an order of dollars keep their amounts on both legs', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    for (const [value, currency] of [[99000, 'VND'], [4.99, 'USD']]) {
      const { eventId } = await report(page, 'trackServerCompletePayment', { orderId: `NET6${currency}`, value, currency });
      const [{ properties }] = await stack.bothLegs(eventId);
      const server = await serverCopy(scene, eventId);
      for (const leg of [properties, server.properties]) {
        assert.deepEqual([leg.value, leg.currency], [value, currency]);
      }
    }
  });

  test('a field of another type is repaired or left out on both legs', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    for (const [name, fields, sent] of [
      ['trackServerAddToCart', { contentId: 7, contentName: 8, value: '99000', currency: '₫' }, {
        contents: [{ content_id: '7', content_name: '8', price: 99000, quantity: 1 }], value: 99000, currency: 'VND',
      }],
      ['trackServerAddToCart', { contentId: true, contentName: 'Exam', price: '99.000', currency: 'VND' }, {
        contents: [{ content_name: 'Exam', quantity: 1 }], currency: 'VND',
      }],
      ['trackDualEvent', {
        contents: { content_id: 'a', price: 5 }, content_type: 'socks', num_items: 0.5, value: 5, currency: 'dong',
        query: 'ph\ud83c', description: ['x'], 'g\udf5c': { note: '\ud83c' },
      }, { contents: [{ content_id: 'a' }], query: 'ph\ufffd', 'g\ufffd': { note: '\ufffd' } }],
    ]) {
      const args = name === 'trackDualEvent' ? ['Search', fields] : [fields];
      const { eventId, delivery } = await report(page, name, ...args);
      assert.equal(delivery.status, 'accepted');
      await stack.bothLegs(eventId);
      const pixel = stack.pixelEvents().find((event) => event.event_id === eventId);
      const server = await serverCopy(scene, eventId);
      for (const { properties } of [pixel, server]) {
        const { content_type, ...others } = properties;
        // The proxy moves the type of each item to the event.
        for (const item of others.contents) delete item.content_type;
        assert.deepEqual(others, sent);
      }
      assert.deepEqual(pixel.properties.content_type, server.properties.content_type);
    }
  });

  test('an order id that names no order gives a random event id, and both the page and the proxy say so', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const unusable = [' ', 'undefined', null + '', '[object Object]', 'x'.repeat(129), {}, 'lan@example.com'];
    const ids = new Set();
    for (const orderId of unusable) {
      const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent', {}, { orderId });
      assert.match(eventId, /^[\da-f]{8}-[\da-f]{4}-4/, JSON.stringify(orderId));
      assert.equal(delivery.status, 'accepted');
      assert.ok(delivery.warnings.some(({ field, rule }) => field === 'properties.order_id' && rule === 'order_id'));
      await stack.bothLegs(eventId);
      const pixel = stack.pixelEvents().find((sent) => sent.event_id === eventId);
      assert.equal(pixel.properties.order_id, undefined);
      ids.add(eventId);
    }
    assert.equal(ids.size, unusable.length);
    const codes = (await heard(page, 'error')).map(({ code }) => code);
    assert.deepEqual(codes, unusable.map(() => 'order_id'));
    const { delivery } = await report(page, 'trackDualEvent', 'CompletePayment', { order_id: 'null', value: 99000 });
    assert.deepEqual(delivery.errors.map(({ rule }) => rule), ['order_id'], 'a money event without its order must be rejected');
  });

  test('blanks around a name are none of it, and properties that are no object cost no event', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    for (const properties of ['text', 7, true, ['a']]) {
      const { eventId, delivery } = await report(page, 'trackDualEvent', ' Subscribe\n', properties, { orderId: `NET7${typeof properties}` });
      assert.equal(delivery.status, 'accepted');
      const [{ signals }] = await stack.bothLegs(eventId);
      assert.deepEqual(signals.map((signal) => signal.event), ['Subscribe', 'Subscribe']);
    }
    const errors = (await heard(page, 'error')).map(({ code, field }) => [code, field]);
    assert.deepEqual(errors, [1, 2, 3, 4].map(() => ['object', 'properties']));
  });

  test('the former trackTikTokServerEvent({event, …}) reports on the server leg alone', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const { eventId } = await report(page, 'trackTikTokServerEvent', {
      event: 'Subscribe',
      properties: { value: 99000, currency: 'VND' },
      user: other,
      test_event_code: 'TEST123',
    });
    const [{ signals }] = await stack.serverLeg(eventId);
    assert.deepEqual(signals.map(({ channel }) => channel), ['server']);
    assert.ok(!stack.pixelEvents().some((sent) => sent.event_id === eventId));
  });

  test('trackPixelEvent reports on the Pixel leg alone', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const pixelOnly = await report(page, 'trackPixelEvent', 'ViewContent');
    const after = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(after.eventId);
    assert.equal(pixelOnly.delivery.status, 'off');
    // The Pixel sends each event in its own request, so a later event can arrive earlier.
    const [{ signals }] = await until('the Pixel leg arrives', async () => {
      const found = await stack.sandbox.conversionsOf(pixelOnly.eventId);
      return found.length > 0 && found;
    });
    assert.deepEqual(signals.map(({ channel }) => channel), ['pixel']);
  });
});
