// The shop's events from the plans to the payment. A customer's visit tests each row of the table in docs/testing-guide.md.
// The fake bank is the sandbox's, and its notifications reach the proxy through SePay's webhook.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { faint } from './faint.mjs';
import { inBrowsers } from './in_browsers.mjs';
import { choose, click, desktop, phone, photograph, says, signIn, toWaiting } from './shop.mjs';
import { visitorAddress } from './site.mjs';
import { shopSettings } from './stack.mjs';
import { until } from './until.mjs';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

const customer = { email: 'Lan@example.com', phone: '0901 234 567', userId: 'user_2abcDEF' };
const digests = {
  email: sha256('lan@example.com'),
  phone: sha256('+84901234567'),
  external_id: sha256('user_2abcDEF'),
};
const price = 199000;

inBrowsers(['chromium'], (scene) => {
  const channels = ({ signals }) => signals.map(({ channel }) => channel).sort();

  async function plansPage({ query = '', viewport = desktop } = {}) {
    const page = await (await scene.visitor()).page();
    await page.setViewport(viewport);
    await page.goto(`${scene.stack.url}/${query}`);
    await page.waitForSelector('.plan');
    return page;
  }

  /** Makes a new customer who has chosen a plan. The page waits for the payment. */
  async function waiting() {
    const page = await plansPage();
    const orderId = await choose(page, 'exam');
    // TikTok's own script loses its unsent events when the page is left, so wait until they have arrived.
    await arrives(orderId, 'InitiateCheckout', 2);
    await toWaiting(page);
    await says(page, 'pending');
    return { page, orderId };
  }

  const conversions = async (orderId, event) =>
    (await scene.stack.sandbox.conversions()).filter(
      (one) => one.event === event && one.properties?.order_id === orderId,
    );

  /** Waits until an event of an order has arrived with the expected number of signals. Returns its one conversion. */
  async function arrives(orderId, event, signals) {
    const [one, ...more] = await until(
      `${event} of ${orderId} arrives with ${signals} signals`,
      async () => {
        const found = await conversions(orderId, event);
        return found.some((one) => one.signals.length >= signals) && found;
      },
      { found: scene.stack.sandbox.conversions },
    );
    assert.deepEqual(more, [], `${event} of ${orderId} must be one conversion`);
    assert.equal(one.signals.length, signals);
    return one;
  }

  /** Waits until the sandbox has all events that the proxy accepted before. */
  async function drain(page) {
    await page.evaluate(async () => (await import('/duet-sdk/index.js')).flush());
    const last = await page.evaluate(async () => {
      const { eventId, delivery } = (await import('/duet-sdk/index.js')).trackServerEvent('Contact');
      await delivery;
      return eventId;
    });
    await scene.stack.serverLeg(last);
  }

  const pay = (orderId, rest) => scene.stack.sandbox.pay({ order_id: orderId, amount: price, ...rest });

  test('the plans page is a ViewContent on both legs when it is loaded', async () => {
    const { stack } = scene;
    const seen = async () =>
      (await stack.sandbox.conversions()).filter(
        ({ event, properties }) => event === 'ViewContent' && properties.contents[0].content_id === 'plans',
      );
    const page = await plansPage();
    await until('the page view arrives on both legs', async () => (await seen()).some(({ signals }) => signals.length === 2), {
      found: stack.sandbox.conversions,
    });
    const [view, ...more] = await seen();
    assert.deepEqual(more, []);
    assert.deepEqual(channels(view), ['pixel', 'server']);
    assert.equal(view.page.url, `${stack.url}/`);
    assert.equal(view.properties.contents[0].content_name, 'Plans');
    await photograph(page, 'plans-1280', { fullPage: true });
  });

  test('choosing a plan is an InitiateCheckout on both legs, of a new order that nobody can guess', async () => {
    const page = await plansPage({ query: '?ttclid=E.C.P.checkout' });
    const orderId = await choose(page, 'exam');
    assert.match(orderId, /^NET[2-9A-HJKMNP-Z]{10}$/);
    const checkout = await arrives(orderId, 'InitiateCheckout', 2);
    assert.deepEqual(channels(checkout), ['pixel', 'server']);
    const { value, currency, contents } = checkout.properties;
    assert.deepEqual([value, currency], [price, 'VND']);
    assert.deepEqual([contents[0].content_id, contents[0].content_name], ['exam', 'Exam (monthly)']);
    assert.equal(checkout.user.ttclid, 'E.C.P.checkout');
    await photograph(page, 'payment-box-1280', { fullPage: true });

    await click(page, '[data-choose-again]');
    assert.notEqual(await choose(page, 'exam'), orderId);
  });

  test('the waiting page is a ViewContent on both legs when it is loaded, once for its order', async () => {
    const { page, orderId } = await waiting();
    const view = await arrives(orderId, 'ViewContent', 2);
    assert.deepEqual(channels(view), ['pixel', 'server']);
    assert.equal(view.properties.contents[0].content_id, 'exam');
    assert.equal(view.properties.value, price);
    assert.ok(view.page.url.endsWith(`/waiting.html?order=${orderId}`));
    await photograph(page, 'waiting-1280', { fullPage: true });
    await page.reload();
    await says(page, 'pending');
    await drain(page);
    await arrives(orderId, 'ViewContent', 2);
  });

  test('a payment that comes while the waiting page asks is a CompletePayment on both legs', async () => {
    const { page, orderId } = await waiting();
    const told = await pay(orderId);
    assert.equal(told.state, 'delivered');
    await says(page, 'paid');
    const payment = await arrives(orderId, 'CompletePayment', 2);
    assert.deepEqual(channels(payment), ['pixel', 'server']);
    assert.deepEqual([payment.properties.value, payment.properties.currency], [price, 'VND']);
    assert.equal(payment.properties.contents[0].content_id, 'exam');
    await photograph(page, 'paid-1280', { fullPage: true });
  });

  test('a payment that came before the waiting page was first loaded is the same CompletePayment', async () => {
    const page = await plansPage();
    const orderId = await choose(page, 'homework');
    await pay(orderId, { amount: 99000 });
    await toWaiting(page);
    await says(page, 'paid');
    const payment = await arrives(orderId, 'CompletePayment', 2);
    assert.deepEqual(channels(payment), ['pixel', 'server']);
    assert.equal(payment.properties.value, 99000);
  });

  test('on a phone every page fits the screen and can be read, by day, by night and aloud', async () => {
    const page = await plansPage({ viewport: phone });
    const fits = async (name) => {
      const [wide, unnamed] = await page.evaluate(() => [
        document.documentElement.scrollWidth - innerWidth,
        [...document.querySelectorAll('a, button')].filter((one) => one.textContent.trim() === '').length,
      ]);
      assert.deepEqual([wide, unnamed], [0, 0], name);
      assert.deepEqual(await faint(page), [], name);
      await photograph(page, `${name}-390`, { fullPage: true });
    };
    await fits('plans');
    const orderId = await choose(page, 'exam');
    await fits('payment-box');
    await toWaiting(page);
    await says(page, 'pending');
    await fits('waiting');
    await pay(orderId, { amount: 50000 });
    await says(page, 'partial');
    await fits('partial');
    await pay(orderId);
    await says(page, 'paid');
    await fits('paid');
    await arrives(orderId, 'CompletePayment', 2);
  });

  test('the bank’s word is a Subscribe that carries the click, the browser and the person', async () => {
    const page = await plansPage({ query: '?ttclid=E.C.P.subscribe' });
    await signIn(page, customer);
    const orderId = await choose(page, 'exam');
    await arrives(orderId, 'InitiateCheckout', 2);
    await pay(orderId);
    const { signals, properties, user } = await arrives(orderId, 'Subscribe', 1);
    assert.equal(signals[0].channel, 'server');
    assert.deepEqual([properties.value, properties.currency], [price, 'VND']);
    assert.equal(properties.contents[0].content_id, 'exam');
    const ttp = await page.evaluate(() => /_ttp=([^;]+)/.exec(document.cookie)[1]);
    const agent = await page.evaluate(() => navigator.userAgent);
    const single = Object.fromEntries(Object.entries(user).map(([name, value]) => [name, [value].flat()[0]]));
    assert.deepEqual(single, {
      ...digests,
      ttclid: 'E.C.P.subscribe',
      ttp,
      ip: visitorAddress,
      user_agent: agent,
      locale: single.locale,
    });
    await toWaiting(page);
    await says(page, 'paid');
    await arrives(orderId, 'CompletePayment', 2);
    await arrives(orderId, 'Subscribe', 1);
  });

  test('a session with Clerk gives the external_id that the page never says', async () => {
    const { stack } = scene;
    const page = await plansPage();
    await signIn(page, { userId: customer.userId });
    const orderId = await choose(page, 'exam');
    const { eventId } = await until('the checkout is posted', () => {
      const posted = stack.posted().find(({ event, properties }) => event === 'InitiateCheckout' && properties.order_id === orderId);
      return posted && { eventId: posted.event_id, user: posted.user };
    });
    const posted = stack.posted().find(({ event_id: id }) => id === eventId);
    assert.equal(posted.user?.external_id, undefined);
    await arrives(orderId, 'InitiateCheckout', 2);
    const sent = (await stack.sandbox.requests()).flatMap(({ body }) => body.data).find(({ event_id: id }) => id === eventId);
    assert.deepEqual([sent.user.external_id].flat(), [digests.external_id]);
    assert.ok(!(await page.evaluate(() => Object.keys(localStorage).some((key) => key.includes('session')))));
  });

  test('an order that only its page began is a Subscribe of its plan too, for what the bank says', async () => {
    const page = await plansPage();
    await page.setRequestInterception(true);
    page.on('request', (request) => (request.url().endsWith('/duet-dev/orders') ? request.abort() : request.continue()));
    const orderId = await choose(page, 'exam');
    await arrives(orderId, 'InitiateCheckout', 2);
    await pay(orderId, { amount: 150000 });
    const { properties } = await arrives(orderId, 'Subscribe', 1);
    assert.deepEqual([properties.value, properties.currency], [150000, 'VND']);
    assert.equal(properties.contents[0].content_id, 'exam');
  });

  test('three reloads of a paid order add nothing', async () => {
    const { page, orderId } = await waiting();
    await pay(orderId);
    await says(page, 'paid');
    for (const event of ['ViewContent', 'CompletePayment']) await arrives(orderId, event, 2);
    for (let visit = 0; visit < 3; visit += 1) {
      await page.reload();
      await says(page, 'paid');
      await drain(page);
    }
    for (const [event, legs] of [['InitiateCheckout', 2], ['ViewContent', 2], ['CompletePayment', 2], ['Subscribe', 1]]) {
      await arrives(orderId, event, legs);
    }
  });

  test('a part of the amount leaves the order partial and reports nothing, and the rest pays it', async () => {
    const { page, orderId } = await waiting();
    await pay(orderId, { amount: 50000 });
    await says(page, 'partial');
    await drain(page);
    for (const event of ['CompletePayment', 'Subscribe']) assert.deepEqual(await conversions(orderId, event), []);
    await pay(orderId, { amount: price - 50000 });
    await says(page, 'paid');
    for (const [event, legs] of [['CompletePayment', 2], ['Subscribe', 1]]) {
      assert.equal((await arrives(orderId, event, legs)).properties.value, price);
    }
  });

  test('one transfer that the bank tells of ten times at once counts once, whatever it does to the memo', async () => {
    const { page, orderId } = await waiting();
    const told = await pay(orderId, { copies: 10, parallel: true, mangling: ['no_signs', 'lower_case', 'wrapped', 'no_code'] });
    assert.deepEqual(told.attempts.map(({ status }) => status), Array(10).fill(200));
    await says(page, 'paid');
    for (const [event, legs] of [['CompletePayment', 2], ['Subscribe', 1]]) {
      assert.equal((await arrives(orderId, event, legs)).properties.value, price);
    }
  });

  test('a transfer whose memo was cut off is taken and pays nothing', async () => {
    const { page, orderId } = await waiting();
    const told = await pay(orderId, { mangling: ['cut_off', 'no_code'] });
    assert.deepEqual(told.attempts.map(({ status }) => status), [200]);
    await drain(page);
    for (const event of ['CompletePayment', 'Subscribe']) assert.deepEqual(await conversions(orderId, event), []);
    await says(page, 'pending');
  });

  test('a page’s word that an unpaid order is paid is held, and TikTok does not hear of it', async () => {
    const { page, orderId } = await waiting();
    const status = await page.evaluate(async (orderId) => {
      const { trackServerCompletePayment } = await import('/duet-sdk/index.js');
      const call = trackServerCompletePayment({ orderId, value: 1, currency: 'VND' }, { pixel: false });
      return (await call.delivery).status;
    }, orderId);
    assert.equal(status, 'held');
    const unproven = await pay(orderId, { flaw: 'wrong_key' });
    assert.equal(unproven.attempts[0].status, 401);
    await drain(page);
    for (const event of ['CompletePayment', 'Subscribe']) assert.deepEqual(await conversions(orderId, event), []);
    await says(page, 'pending');
  });
}, shopSettings);
