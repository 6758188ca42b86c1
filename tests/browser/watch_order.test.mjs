// A page waits for a payment. Some tests imitate the proxy's order route, because they must see each request. The last test
// uses the real route and a real notification of the sandbox's bank.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds, sdkOn } from './browser.mjs';
import { init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { listen, pass } from './tap.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  /**
   * Serves the stack's site with another order route. The route answers with `order.status`, and `order.asked` lists its
   * requests.
   */
  async function shopWith(order, use) {
    const server = await listen((incoming, outgoing) => {
      if (!incoming.url.startsWith('/api/orders/')) return pass(incoming, outgoing, scene.stack.site.port, []);
      order.asked.push(incoming.url);
      outgoing.writeHead(200, { 'content-type': 'application/json' });
      return outgoing.end(JSON.stringify({ order_id: 'x', status: order.status, event_ids: order.eventIds ?? {} }));
    });
    try {
      const page = await (await scene.visitor()).open(`http://127.0.0.1:${server.port}/pages/fixture.html`);
      return await use(page);
    } finally {
      await server.stop();
    }
  }

  const watch = (page, orderId) =>
    page.evaluate((orderId) => {
      window.paid = 0;
      const onPaid = () => { window.paid += 1; };
      window.stop = window.duet.watchOrder(orderId, { onPaid, intervalMs: 50, properties: { value: 99000 } });
    }, orderId);

  const newOrder = (status) => ({ status, asked: [], id: `WATCH${scene.name}${Date.now()}` });

  test('an order that is paid is one payment on each leg, however often the page is loaded', async () => {
    const { stack } = scene;
    const order = newOrder('pending');
    await shopWith(order, async (page) => {
      await watch(page, order.id);
      await init(page, stack.config);
      await until('the page has requested the order’s status again', () => order.asked.length > 2);
      assert.ok(order.asked[0].endsWith(order.id));
      order.status = 'paid';
      await holds(page, () => window.paid === 1);
      const eventId = await page.evaluate((id) => window.duet.eventIdFor('CompletePayment', id), order.id);
      await stack.bothLegs(eventId);

      for (let visit = 0; visit < 3; visit += 1) {
        await page.reload();
        await sdkOn(page);
        await init(page, stack.config);
        await watch(page, order.id);
        await holds(page, () => window.paid === 1);
        await page.evaluate(() => window.duet.flush());
      }
      const [{ signals }] = await stack.bothLegs(eventId);
      assert.deepEqual(signals.map(({ channel }) => channel).sort(), ['pixel', 'server']);
      assert.equal(stack.posted().filter((event) => event.event_id === eventId).length, 1);
    });
  });

  test('a payment that the proxy has reported keeps its id', async () => {
    const { stack } = scene;
    const ids = { Purchase: `purchase-${scene.name}`, CompletePayment: `payment-${scene.name}` };
    for (const [named, used] of [[{ Purchase: ids.Purchase }, ids.Purchase], [ids, ids.CompletePayment]]) {
      const order = { ...newOrder('paid'), id: `${used}-order`, eventIds: named };
      await shopWith(order, async (page) => {
        await init(page, stack.config);
        await watch(page, order.id);
        await holds(page, () => window.paid === 1);
        const [{ signals }] = await stack.bothLegs(used);
        assert.deepEqual(signals.map(({ channel }) => channel).sort(), ['pixel', 'server']);
      });
    }
  });

  test('a hidden page does not ask, and asks as soon as it is seen', async () => {
    const order = newOrder('pending');
    await shopWith(order, async (page) => {
      await init(page, scene.stack.config);
      const show = (hidden) =>
        page.evaluate((hidden) => {
          Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));
        }, hidden);
      await show(true);
      await watch(page, order.id);
      // A hidden page must not request the status. Such a request would have come before the answer to this event.
      await report(page, 'trackServerEvent', 'ViewContent');
      assert.equal(order.asked.length, 0);
      await show(false);
      await until('the page has requested the order’s status', () => order.asked.length > 0);
    });
  });

  test('a watch that is stopped asks no more', async () => {
    const order = newOrder('pending');
    await shopWith(order, async (page) => {
      await init(page, scene.stack.config);
      await watch(page, order.id);
      await until('the page has requested the order’s status', () => order.asked.length > 0);
      await page.evaluate(() => window.stop());
      order.status = 'paid';
      const { length } = order.asked;
      await report(page, 'trackServerEvent', 'ViewContent');
      assert.ok(order.asked.length <= length + 1, 'after the stop, at most one request that was already running may arrive');
      assert.equal(await page.evaluate(() => window.paid), 0);
    });
  });
});

const serverKey = 'browser-server-key-0123';
const bankKey = 'browser-bank-key-0123';

inBrowsers(engines, (scene) => {
  const toProxy = (path, authorization, body) =>
    fetch(`http://127.0.0.1:${scene.stack.proxy.port}${path}`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  test('a page that waits hears of the money when the bank has told the proxy', async () => {
    const { stack } = scene;
    const orderId = `WATCH${scene.name.toUpperCase()}`;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    await page.evaluate((orderId) => {
      window.paid = 0;
      const onPaid = () => { window.paid += 1; };
      window.duet.watchOrder(orderId, { onPaid, intervalMs: 50, properties: { value: 99000, currency: 'VND' } });
    }, orderId);
    const order = { order_id: orderId, amount: 99000, currency: 'VND', plan_id: 'exam' };
    assert.equal((await toProxy('/api/orders', `Bearer ${serverKey}`, order)).status, 200);
    assert.equal(await page.evaluate(() => window.paid), 0);
    const transfer = {
      id: 92704, gateway: 'Vietcombank', transactionDate: '2026-03-25 14:02:37', accountNumber: '0123499999', subAccount: null,
      code: orderId, content: `${orderId} chuyen tien`, transferType: 'in', description: '', transferAmount: 99000,
      accumulated: 19077000, referenceCode: 'MBVCB.3278907687',
    };
    assert.equal((await toProxy('/api/payment/sepay/webhook', `Apikey ${bankKey}`, transfer)).status, 200);
    await holds(page, () => window.paid === 1);
    const eventId = await page.evaluate((id) => window.duet.eventIdFor('CompletePayment', id), orderId);
    await stack.bothLegs(eventId);
    const [{ signals }] = await stack.bothLegs(eventId);
    assert.deepEqual(signals.map(({ channel }) => channel).sort(), ['pixel', 'server']);
  });
}, () => ({ DUET_SERVER_KEY: serverKey, SEPAY_WEBHOOK_SECRET: bankKey }));
