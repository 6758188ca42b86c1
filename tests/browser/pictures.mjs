// `node tests/browser/pictures.mjs` takes the pictures of docs/console.md. The shop has a refused sale, and TikTok is slow.
// The program needs the binaries and the SDK that `cargo xtask test binaries "npm package"` builds.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { launch } from './browser.mjs';
import { freePort, startStack } from './stack.mjs';
import { until } from './until.mjs';

const [token, secret, serverKey] = ['the-token-of-the-pictures', 'the-webhook-secret-of-the-pictures', 'the-server-key-of-the-pictures'];
const folder = join(import.meta.dirname, '../../docs/pictures');
const port = await freePort();
const stack = await startStack(() => ({
  DUET_CONSOLE_LISTEN: `127.0.0.1:${port}`,
  DUET_CONSOLE_TOKEN: token,
  DUET_SERVER_KEY: serverKey,
  SEPAY_WEBHOOK_SECRET: secret,
}));
const address = `http://127.0.0.1:${port}`;

async function send(path, authorization, body) {
  const url = `http://127.0.0.1:${stack.proxy.port}${path}`;
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', authorization }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

const track = (event) => send('/api/analytics/tiktok/track', `Bearer ${serverKey}`, event);

/** Registers an order, makes a visitor begin it, and pays it. */
async function sell(number) {
  const order = `PHO7K3M9Q${number}`;
  await send('/api/orders', `Bearer ${serverKey}`, { order_id: order, amount: 99000, currency: 'VND', plan_id: 'starter', plan_name: 'Starter', billing_cycle: 'monthly' });
  const properties = { order_id: order, value: 99000, currency: 'VND' };
  await track({ event: 'InitiateCheckout', properties, user: { email: `lan${number}@example.com`, external_id: `user-${number}` } });
  await send('/api/payment/sepay/webhook', `Apikey ${secret}`, {
    id: number, gateway: 'Vietcombank', transactionDate: '2026-03-25 14:02:37', accountNumber: '0123499999', subAccount: null, code: null,
    content: `${order} chuyen tien`, transferType: 'in', description: '', transferAmount: 99000, accumulated: 0, referenceCode: `MB.${number}`,
  });
  return order;
}

const api = async (path) => (await fetch(`${address}/console/api/${path}`, { headers: { authorization: `Bearer ${token}` } })).json();
const counted = (name, reached) => until(name, async () => reached(await api('counted')));
const browser = await launch('chromium');
try {
  await mkdir(folder, { recursive: true });
  for (let number = 10; number < 18; number += 1) await sell(number);
  await counted('the orders are delivered', ({ delivered }) => delivered.orders === 8);
  await stack.sandbox.inject({ fault: 'refuse_event', event_id: '', name_index: false });
  const refused = await sell(18);
  await counted('one order is refused', ({ missing }) => missing[0]?.state === 'refused');
  await stack.sandbox.heal();
  await stack.sandbox.inject({ fault: 'bad_gateway' });
  await sell(19);
  await until('the console shows that deliveries are slow', async () => (await api('head')).state === 'slow');
  const page = await browser.newPage();
  await page.setViewport({ width: 900, height: 1200 });
  await page.goto(`${address}/?lang=en`);
  await page.type('#token', token);
  await Promise.all([page.waitForNavigation(), page.click('form button')]);
  /** Takes a picture of the page from its top to the end of an element. */
  const take = async (name, width, query, last) => {
    await page.setViewport({ width, height: 1200 });
    await page.goto(`${address}/?lang=en&theme=light${query}`);
    const height = await page.$eval(last, (element) => Math.ceil(element.getBoundingClientRect().bottom) + 8);
    await page.screenshot({ path: join(folder, `${name}.png`), clip: { x: 0, y: 0, width, height } });
  };
  await take('console', 900, '', '#counted-events');
  await take('console-why', 900, `&why=${refused}`, '#why');
} finally {
  await browser.close();
  await stack.sandbox.heal();
  await stack.stop();
}
