// Personal values and secrets stay where they belong. A raw personal value is only in the page and in the proxy's memory.
// The access token is sent only to TikTok.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { call, heard, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { sdkPackage } from './site.mjs';
import { accessToken, trackPath } from './stack.mjs';

const person = { email: 'Canary.Lan@Example.com', phone: '+84 909 765 432', externalId: 'canary-user-7731' };
const raw = [/canary\.lan/i, /909[ .%+-]*(20)?765/i, /909765432/, /canary-user-7731/i];

function assertNone(text, secrets, where) {
  for (const secret of secrets) {
    const found = secret instanceof RegExp ? secret.exec(text) : text.includes(secret) && [secret];
    assert.ok(!found, `${where} must not contain ${found?.[0]}`);
  }
}

/**
 * Returns every file of the proxy, as `filesUnder` does. The proxy is stopped before and started again afterwards, because
 * a running proxy can delete a file at any time.
 */
async function filesOfTheProxy({ folder, proxy }) {
  await proxy.stop();
  const files = await filesUnder(folder);
  await proxy.start();
  return files;
}

/**
 * Returns every file under a folder as [path, text]. The text is decoded so that even bytes that are no valid text stay
 * different from each other.
 */
async function filesUnder(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return Promise.all(files.map(async (path) => [path, await readFile(path, 'latin1')]));
}

inBrowsers(engines, (scene) => {
  test('a raw personal value is in no request, no storage and no cookie of the page', async () => {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const page = await visitor.open(stack.fixture);
    const urls = [];
    page.on('request', (request) => urls.push(request.url()));
    await init(page, stack.config);
    await call(page, 'identify', person);
    const identified = await report(page, 'trackServerSubscribe', { planId: 'exam', value: 199000, orderId: 'NET1SECRET' });
    const given = await report(page, 'trackDualEvent', 'Contact', {}, { user: person });
    await stack.bothLegs(identified.eventId);
    const [{ user }] = await stack.bothLegs(given.eventId);
    assert.ok(user.email && user.phone && user.external_id, 'all three keys must arrive as digests');

    assertNone(urls.join('\n'), raw, 'the address of a request of the page');
    for (const { path, headers, body } of [...stack.site.log, ...stack.tiktok.log]) {
      assertNone(body + JSON.stringify(headers), raw, `a request to ${path}`);
    }
    const storage = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    assert.match(storage, /duet:/);
    assertNone(storage, raw, 'the storage');
    assertNone(JSON.stringify(await visitor.context.cookies()), raw, 'a cookie');
  });

  test('personal data among the properties goes on neither leg', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const { eventId } = await report(page, 'trackDualEvent', 'ViewContent', {
      customer_email: person.email,
      customer: { phoneNumber: person.phone, has_phone: true, tier: 'gold' },
      description: `for ${person.email}`,
      landing: `https://shop.example/?plan=pro&userId=${person.externalId}`,
    });
    const [{ properties }] = await stack.bothLegs(eventId);
    const pixel = stack.pixelEvents().find((sent) => sent.event_id === eventId);
    const left = { customer: { has_phone: true, tier: 'gold' }, description: 'for', landing: 'https://shop.example/?plan=pro' };
    assert.deepEqual(properties, left);
    for (const [name, value] of Object.entries(left)) assert.deepEqual(pixel.properties[name], value);
    assertNone(JSON.stringify(pixel), raw, 'the event that the Pixel sent');
  });

  test('a raw personal value is nowhere on window, in no error and no line of the console', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    const lines = [];
    page.on('console', (message) => lines.push(message.text()));
    await init(page, stack.config);
    await call(page, 'identify', person);
    const wrong = { ...person, phone: 'canary-user-7731', email: 'Canary.Lan' };
    for (const [event, properties, options] of [
      ['ViewContent', {}, {}],
      ['Contact', {}, { user: person }],
      ['Contact', {}, { user: wrong }],
      ['viewcontent', {}, { user: wrong }],
      ['Search', { value: 'no number' }, { user: wrong, eventId: 'not an id!', pixel: false }],
    ]) {
      await report(page, 'trackDualEvent', event, properties, options);
    }
    const errors = await heard(page, 'error');
    assert.ok(errors.length > 0, 'the page must get errors, because some of these calls are wrong');
    assertNone(JSON.stringify(errors), raw, 'an error');
    assertNone(JSON.stringify(await heard(page, 'delivery')), raw, 'a delivery');
    assertNone(lines.join('\n'), raw, 'the console');

    // Everything that can be reached from window without calling a function.
    const texts = await page.evaluate(() => {
      const seen = new Set();
      const found = [];
      const visit = (value, depth) => {
        if (typeof value === 'string') found.push(value);
        if (value === null || !['object', 'function'].includes(typeof value) || seen.has(value) || depth > 6) return;
        seen.add(value);
        if (value instanceof Node) return;
        const inside = [value instanceof Map || value instanceof Set ? [...value.keys(), ...value.values()] : []];
        for (const [key, { value: member }] of Object.entries(Object.getOwnPropertyDescriptors(value))) inside.push(key, member);
        for (const one of inside.flat()) visit(one, depth + 1);
      };
      window.planted = [{ deep: new Map([['down', 'a planted text']]) }];
      visit(window, 0);
      return found;
    });
    assert.ok(texts.includes('a planted text'), 'the search must find the planted text');
    assertNone(texts.join('\n'), raw, 'window');
  });

  test('a raw personal value that reaches the proxy is in no file and no log line of it', async () => {
    const { stack } = scene;
    const body = {
      event: 'CompleteRegistration',
      event_id: 'raw-to-the-proxy',
      user: { email: person.email, phone: person.phone, userId: person.externalId },
      page: { url: `${stack.url}/welcome` },
    };
    const refused = { ...body, event_id: 'raw-and-refused', user: { ...body.user, phone: '+84 909 765 43x' } };
    for (const event of [body, refused]) {
      const answer = await fetch(`http://127.0.0.1:${stack.proxy.port}${trackPath}`, {
        method: 'POST',
        body: JSON.stringify(event),
      });
      assertNone(await answer.text(), raw, 'the answer');
    }
    const [{ user }] = await stack.serverLeg(body.event_id);
    assert.ok(user.email && user.phone && user.external_id, 'all three keys must arrive as digests');

    const files = await filesOfTheProxy(stack);
    assert.ok(files.length > 0, 'the proxy’s store must have files');
    for (const [path, text] of files) assertNone(text, raw, path);
    assert.notEqual(stack.proxy.output.text, '', 'the proxy must have written a log');
    assertNone(stack.proxy.output.text, raw, 'the log');
    assertNone(JSON.stringify(await stack.sandbox.requests()), raw, 'a request to TikTok');
  });

  test('the access token goes to TikTok and nowhere else', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).open(stack.fixture);
    await init(page, stack.config);
    const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(eventId);
    const requests = await stack.sandbox.requests();
    assert.ok(requests.length > 0 && requests.every(({ token }) => token === 'right'));

    const routes = [trackPath, '/healthz', '/readyz', '/metrics', '/console', '/nowhere'];
    for (const route of routes) {
      const answer = await fetch(`http://127.0.0.1:${stack.proxy.port}${route}`);
      assertNone(JSON.stringify([...answer.headers]) + (await answer.text()), [accessToken], route);
    }
    for (const { path, headers, body, answer } of [...stack.site.log, ...stack.tiktok.log]) {
      assertNone(JSON.stringify([headers, body, answer]), [accessToken], `a request to ${path}`);
    }
    for (const [path, text] of [...(await filesOfTheProxy(stack)), ...(await filesUnder(sdkPackage))]) {
      assertNone(text, [accessToken], path);
    }
    assertNone(stack.proxy.output.text, [accessToken], 'the log');
  });
});
