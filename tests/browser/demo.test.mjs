// Runs `duet-proxy dev` without any settings, as `cargo xtask demo` does. The shop, the proxy, the fake TikTok, the fake
// Clerk and the fake bank must work together.

import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { engines, launch, visitor } from './browser.mjs';
import { faint } from './faint.mjs';
import { run } from './program.mjs';
import { choose, click, desktop, phone, photograph, says, signIn, toWaiting } from './shop.mjs';
import { sdkPackage } from './site.mjs';
import { until } from './until.mjs';

const output = { text: '' };
const opened = [];
let browser;
let shop;
let sandbox;

before(async () => {
  const www = await mkdtemp(join(tmpdir(), 'duet-demo-'));
  opened.push(() => rm(www, { recursive: true }));
  await cp(resolve(import.meta.dirname, '../../www-demo'), www, { recursive: true });
  await cp(sdkPackage, join(www, 'duet-sdk'), { recursive: true });
  const dev = run('duet-proxy', ['dev', '--listen', '127.0.0.1:0', '--sandbox-listen', '127.0.0.1:0', '--www', www], {}, output);
  opened.push(() => dev.stop());
  const address = (name) => until(
    `dev has printed the address of its ${name}`,
    () => dev.running() && new RegExp(`${name} +(http://[0-9.:]+)/`).exec(output.text)?.[1],
  );
  shop = await address('shop');
  sandbox = await address('sandbox');
  browser = await launch('chromium');
  opened.push(() => browser.close());
});

after(async () => {
  for (const close of opened.toReversed()) await close();
});

const read = async (path) => (await fetch(`${sandbox}${path}`)).json();
const conversions = async (orderId) =>
  (await read('/sandbox/conversions')).filter(({ properties }) => properties?.order_id === orderId);

/** Clicks a link that opens a new page, and returns this page. */
async function follow(page, selector) {
  const target = new Promise((opens) => page.once('popup', opens));
  await click(page, selector);
  const popup = await target;
  await popup.setViewport(desktop);
  await popup.waitForSelector('#pay');
  return popup;
}

/** Pays on the bank's page. Returns the status of the proxy's answer to each copy of the notification. */
async function payAtBank(bank) {
  const before = await bank.$$eval('.card', (cards) => cards.length);
  await click(bank, '#pay button:enabled');
  await bank.waitForFunction((before) => {
    const [newest, ...others] = document.querySelectorAll('.card');
    return others.length >= before && /delivered|failed/.test(newest?.querySelector('.head .tag').textContent);
  }, {}, before);
  return bank.$eval('.card', (card) => [...card.querySelectorAll('.attempts .tag')].map(({ textContent }) => textContent));
}

test('with no settings a plan is chosen, paid at the fake bank and counted once, for the person who signed in', async () => {
  const customer = await visitor(browser);
  const page = await customer.page();
  await page.setViewport(desktop);
  await page.goto(`${shop}/?ttclid=E.C.P.demo`);
  await signIn(page, { email: 'lan@example.com', phone: '0901 234 567', userId: 'user_2abcDEF' });
  const orderId = await choose(page, 'exam');
  // TikTok's own script loses its unsent events when the page is left, so wait until they have arrived.
  await until('the checkout arrives on both legs', async () => (await conversions(orderId)).some(({ signals }) => signals.length === 2), {
    found: () => conversions(orderId),
  });
  await toWaiting(page);
  await says(page, 'pending');

  const bank = await follow(page, '[data-bank] a');
  const filled = (name) => bank.$eval(`[name=${name}]`, ({ value }) => value);
  assert.equal(await filled('order_id'), orderId);
  assert.equal(await filled('amount'), '199000');
  await bank.waitForFunction(() => document.querySelector('[name=webhook_url]').value !== '');
  assert.equal(await filled('webhook_url'), `${shop}/api/payment/sepay/webhook`);
  assert.equal(await bank.$eval('[name=auth] option', ({ textContent }) => textContent), 'as the shop expects: API key');

  await bank.select('[name=auth]', 'hmac');
  assert.deepEqual(await payAtBank(bank), ['401'], 'a notification with the wrong kind of proof must be rejected');
  await bank.select('[name=auth]', '');
  await bank.$eval('[name=amount]', (amount) => { amount.value = '150000'; });
  assert.deepEqual(await payAtBank(bank), ['200']);
  await page.bringToFront();
  await says(page, 'partial');

  await bank.bringToFront();
  await bank.$eval('[name=amount]', (amount) => { amount.value = '49000'; });
  await bank.$eval('[name=copies]', (copies) => { copies.value = '3'; });
  for (const mangling of ['no_signs', 'lower_case', 'wrapped']) await click(bank, `[name=mangling][value=${mangling}]`);
  assert.deepEqual(await payAtBank(bank), ['200', '200', '200']);
  await photograph(bank, 'bank-1280', { fullPage: true });
  await bank.setViewport(phone);
  await photograph(bank, 'bank-390', { fullPage: true });
  assert.deepEqual(await faint(bank), []);

  await page.bringToFront();
  await says(page, 'paid');
  const counted = await until(
    'the payment arrives on both legs, and the subscription',
    async () => {
      const found = await conversions(orderId);
      const signals = (name) => found.find(({ event }) => event === name)?.signals.length;
      return signals('CompletePayment') === 2 && signals('Subscribe') === 1 && found;
    },
    { found: () => conversions(orderId) },
  );
  assert.deepEqual(
    counted.map(({ event }) => event).sort(),
    ['CompletePayment', 'InitiateCheckout', 'Subscribe', 'ViewContent'],
  );
  for (const { event, user, properties } of counted) {
    assert.equal(properties.value, 199000, event);
    for (const key of ['email', 'phone', 'external_id', 'ttclid', 'ttp', 'user_agent']) {
      assert.ok(user[key]?.length > 0, `${event} must have ${key}`);
    }
    assert.equal(user.ip, undefined, 'an address of loopback must not be sent as the visitor’s address');
  }
  const violations = (await read('/sandbox/violations')).filter(({ severity }) => severity === 'violation');
  assert.deepEqual(violations, []);
  assert.deepEqual(customer.errors, []);
  await customer.leave();
});

const skipped = (name) => name === 'webkit' && process.platform !== 'linux' && 'WebKitGTK exists only on Linux';

for (const name of engines) test(`in ${name} a plan in dollars is sold through Polar: page, webhook and TikTok agree on 29.00 USD`, { skip: skipped(name) }, async () => {
  const engine = await launch(name);
  opened.push(() => engine.close());
  const customer = await visitor(engine);
  const page = await customer.page();
  await page.setViewport(desktop);
  await page.goto(`${shop}/?ttclid=E.C.P.polar`);
  await page.waitForSelector('.plan');
  await page.click('input[name=currency][value=USD]');
  const orderId = await choose(page, 'family');
  await until('the checkout arrives on both legs', async () => (await conversions(orderId)).some(({ signals }) => signals.length === 2), {
    found: () => conversions(orderId),
  });
  assert.equal(await page.$eval('[data-payment] .amount', (amount) => amount.textContent), '$29.00');
  await toWaiting(page);
  await says(page, 'pending');

  const polar = await customer.page();
  await polar.setViewport(desktop);
  await polar.goto(await page.$eval('[data-bank] a', ({ href }) => href));
  await polar.waitForFunction(() => document.querySelector('[name=webhook_url]').value !== '');
  assert.deepEqual(await payAtBank(polar), ['200']);
  const { transfers } = await read('/bank/transfers');
  const told = transfers.find((transfer) => transfer.order_id === orderId);
  assert.equal(told.webhook_url, `${shop}/api/payment/polar/webhook`);
  const { type, data } = JSON.parse(told.body);
  assert.deepEqual([type, data.total_amount, data.currency, data.metadata], ['order.paid', 2900, 'usd', { order_id: orderId }]);

  await page.bringToFront?.();
  await says(page, 'paid');
  const counted = await until(
    'the payment arrives on both legs, and the subscription',
    async () => {
      const found = await conversions(orderId);
      const signals = (name) => found.find(({ event }) => event === name)?.signals.length;
      return signals('CompletePayment') === 2 && signals('Subscribe') === 1 && found;
    },
    { found: () => conversions(orderId) },
  );
  for (const { event, user, properties } of counted) {
    assert.deepEqual([properties.value, properties.currency], [29, 'USD'], event);
    assert.equal(user.ttclid, 'E.C.P.polar', event);
  }
  assert.deepEqual(customer.errors, []);
  await customer.leave();
});

test('a run’s secrets are on no page, in no address and not in what dev prints', async () => {
  const bank = await read('/bank/transfers');
  const page = await (await fetch(`${shop}/duet-dev.json`)).json();
  for (const told of [bank, page]) {
    assert.ok(!/secret|key|token/i.test(Object.keys(told).join()), Object.keys(told).join());
  }
  assert.ok(!/[0-9a-f]{32}/.test(JSON.stringify(page) + JSON.stringify(bank.webhook_url) + output.text));
  const guess = { amount: 1, order_id: 'NETAAAAAAAAAA', secret: 'sandbox-secret' };
  const told = await (await fetch(`${sandbox}/bank/transfers`, { method: 'POST', body: JSON.stringify(guess) })).json();
  assert.deepEqual(told.attempts.map(({ status }) => status), [401]);
});
