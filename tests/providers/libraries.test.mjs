// Tests the proxy and the fake bank with the payment providers' own libraries. The proxy must accept the signatures of
// these libraries, and these libraries must verify the signatures of the fake bank.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { PayOS } from '@payos/node';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { HashAlgorithm, VNPay } from 'vnpay';
import { buildPaymentUrlSearchParams, calculateSecureHash } from 'vnpay/utils';

const bin = process.env.DUET_BIN ?? new URL('../../target/debug', import.meta.url).pathname;
const serverKey = 'a-server-key-of-some-length';
const secret = 'whsec_ZHVldC1lMmUtc2VjcmV0LW9mLTMyLWJ5dGVzISE=';
const terminal = 'DUETTEST';
const stripe = new Stripe('sk_test_unused');
const payos = new PayOS({ clientId: 'unused', apiKey: 'unused', checksumKey: secret });
const vnpay = new VNPay({ tmnCode: terminal, secureSecret: secret, vnpayHost: 'https://sandbox.vnpayment.vn', testMode: true,
  hashAlgorithm: HashAlgorithm.SHA512, enableLog: false });
const folder = mkdtempSync(join(tmpdir(), 'duet-providers-'));
const started = [];
let sandbox;
let proxy;

/** Starts a program and waits for the line that names its address. */
async function start(name, args, env, address) {
  const child = spawn(join(bin, name), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(child);
  let said = '';
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        said += text;
        const found = said.match(address);
        if (found) resolve(`http://${found[1]}`);
      });
    }
    child.on('exit', (code) => reject(new Error(`${name} ended with ${code}: ${said}`)));
  });
}

before(async () => {
  sandbox = await start('duet-sandbox', ['--listen', '127.0.0.1:0'], {}, /http:\/\/(127\.0\.0\.1:\d+)/);
  proxy = await start('duet-proxy', ['serve'], {
    TIKTOK_PIXEL_ID: 'CDUETSANDBOX00000001',
    TIKTOK_ACCESS_TOKEN: 'sandbox-token',
    TIKTOK_API_BASE: sandbox,
    DUET_LISTEN: '127.0.0.1:0',
    DUET_DATA_DIR: folder,
    DUET_SERVER_KEY: serverKey,
    POLAR_WEBHOOK_SECRET: secret,
    STRIPE_WEBHOOK_SECRET: secret,
    PAYOS_CHECKSUM_KEY: secret,
    VNPAY_TMN_CODE: terminal,
    VNPAY_HASH_SECRET: secret,
    DUET_LOG_FORMAT: 'json',
  }, /"address":"(127\.0\.0\.1:\d+)"/);
});

after(async () => {
  for (const child of started) {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true });
});

async function register(orderId, amount, currency, references) {
  const order = { order_id: orderId, amount, currency, references };
  const headers = { authorization: `Bearer ${serverKey}` };
  const answer = await fetch(`${proxy}/api/orders`, { method: 'POST', headers, body: JSON.stringify(order) });
  assert.equal(answer.status, 200, await answer.text());
}

const statusOf = async (orderId) => (await (await fetch(`${proxy}/api/orders/${orderId}`)).json()).status;

async function post(provider, body, headers = {}) {
  const answer = await fetch(`${proxy}/api/payment/${provider}/webhook`, { method: 'POST', headers, body });
  return [answer.status, await answer.text()];
}

const thanks = [200, '{"success":true}'];

test('what standardwebhooks signs is Polar\'s', async () => {
  await register('POLAR00001', 29, 'USD');
  const body = JSON.stringify({ type: 'order.paid', data: { id: 'o-1', total_amount: 2900, currency: 'usd',
    billing_reason: 'purchase', metadata: { order_id: 'POLAR00001' } } });
  const now = new Date();
  const headers = {
    'webhook-id': 'msg-1',
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign('msg-1', now, body),
  };
  assert.equal((await post('polar', `${body} `, headers))[0], 401);
  assert.deepEqual(await post('polar', body, headers), thanks);
  assert.equal(await statusOf('POLAR00001'), 'paid');
});

test('what stripe signs is Stripe\'s', async () => {
  await register('STRIPE0001', 29, 'USD');
  const payload = JSON.stringify({ id: 'evt_1', object: 'event', type: 'checkout.session.completed', livemode: true,
    data: { object: { id: 'cs_1', client_reference_id: 'STRIPE0001', amount_total: 2900, currency: 'usd', payment_status: 'paid' } } });
  const signature = stripe.webhooks.generateTestHeaderString({ payload, secret });
  assert.equal((await post('stripe', `${payload} `, { 'stripe-signature': signature }))[0], 401);
  assert.deepEqual(await post('stripe', payload, { 'stripe-signature': signature }), thanks);
  assert.equal(await statusOf('STRIPE0001'), 'paid');
});

const transfer = {
  orderCode: 92704, amount: 99000, description: 'PHỞ & BÁNH', accountNumber: '0123499999', reference: 'FT1',
  transactionDateTime: '2026-03-25 14:02:37', currency: 'VND', paymentLinkId: 'link1', code: '00', desc: 'Thành công',
  counterAccountBankId: null, counterAccountBankName: 'null', counterAccountName: 'undefined', counterAccountNumber: '',
  virtualAccountName: '', virtualAccountNumber: '', items: [{ price: 99000, name: 'Pro' }, { name: 'b', more: null }], fee: 0.5,
};

test('what @payos/node signs is payOS\'', async () => {
  await register('PAYOS00001', 99000, 'VND', { payos: 92704 });
  const signature = await payos.crypto.createSignatureFromObj(transfer, secret);
  const body = (data) => JSON.stringify({ code: '00', desc: 'success', success: true, data, signature });
  assert.equal((await post('payos', body({ ...transfer, amount: 99001 })))[0], 401);
  assert.deepEqual(await post('payos', body(transfer)), thanks);
  assert.equal(await statusOf('PAYOS00001'), 'paid');
});

test('what vnpay signs is VNPay\'s', async () => {
  await register('VNPAY00001', 99000, 'VND');
  const data = { vnp_Amount: 9900000, vnp_BankCode: 'NCB', vnp_CardType: 'ATM', vnp_OrderInfo: 'Phở số 1 * ~ (A&B)', vnp_BankTranNo: '',
    vnp_PayDate: '20260325140237', vnp_ResponseCode: '00', vnp_TmnCode: terminal, vnp_TransactionNo: '14226112',
    vnp_TransactionStatus: '00', vnp_TxnRef: 'VNPAY00001' };
  const query = buildPaymentUrlSearchParams(data);
  const hash = calculateSecureHash({ secureSecret: secret, data: query.toString(), hashAlgorithm: HashAlgorithm.SHA512, bufferEncode: 'utf-8' });
  const get = async (text) => (await (await fetch(`${proxy}/api/payment/vnpay/webhook?${text}`)).json()).RspCode;
  assert.equal(await get(`${query}0&vnp_SecureHash=${hash}`), '97');
  assert.equal(await get(`${query}&vnp_SecureHash=${hash}`), '00');
  assert.equal(await get(`${query}&vnp_SecureHash=${hash}`), '02');
  assert.equal(await statusOf('VNPAY00001'), 'paid');
});

/** Lets the fake bank send a notification, and returns it as a webhook receives it. */
async function sentByTheBank(provider) {
  let received;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (text) => { body += text; });
    request.on('end', () => {
      received = { url: request.url, headers: request.headers, body };
      response.end('{"success":true}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const instruction = { provider, secret, amount: 2900, order_id: 'BANK000001', memo: 'Phở số 1',
    webhook_url: `http://127.0.0.1:${server.address().port}/webhook` };
  const answer = await fetch(`${sandbox}/bank/transfers`, { method: 'POST', body: JSON.stringify(instruction) });
  assert.equal((await answer.json()).state, 'delivered');
  server.close();
  return received;
}

test('each library verifies what the fake bank signs', async () => {
  const polar = await sentByTheBank('polar');
  assert.equal(new Webhook(secret).verify(polar.body, polar.headers).type, 'order.paid');
  const event = await sentByTheBank('stripe');
  assert.equal(stripe.webhooks.constructEvent(event.body, event.headers['stripe-signature'], secret).livemode, true);
  const data = await payos.webhooks.verify(JSON.parse((await sentByTheBank('payos')).body));
  assert.equal(data.description, 'Phở số 1');
  const { url } = await sentByTheBank('vnpay');
  const query = Object.fromEntries(new URL(url, sandbox).searchParams);
  const verified = vnpay.verifyIpnCall(query);
  assert.ok(verified.isVerified && verified.isSuccess, JSON.stringify(verified));
});
