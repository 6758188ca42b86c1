// The console in a browser: what people can see and do in it, and that a hostile text has no effect.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { holds } from './browser.mjs';
import { faint } from './faint.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { photograph } from './shop.mjs';
import { freePort } from './stack.mjs';
import { until } from './until.mjs';

const token = 'canary-token-of-the-console';
const html = '<img src=x onerror="window.hacked=1">';
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const port = await freePort();
const address = `http://127.0.0.1:${port}`;

const settings = () => ({
  DUET_CONSOLE_LISTEN: `127.0.0.1:${port}`,
  DUET_CONSOLE_TOKEN: token,
  DUET_MONEY_EVENTS: 'open',
  SEPAY_WEBHOOK_SECRET: 'canary-webhook-secret-9d41',
});

/** Opens the console with this query and signs in. */
async function signedIn(scene, query, visitor) {
  const person = visitor ?? (await scene.visitor());
  const page = await person.page();
  await page.goto(`${address}/?${query}`);
  await page.type('#token', token);
  await Promise.all([page.waitForNavigation(), page.click('form button')]);
  await holds(page, () => !document.querySelector('#pause').hidden);
  return page;
}

const post = (stack, event) => fetch(`http://127.0.0.1:${stack.proxy.port}/api/analytics/tiktok/track`, {
  method: 'POST',
  headers: { 'content-type': 'text/plain' },
  body: JSON.stringify(event),
});

const api = async (path) => (await fetch(`${address}/console/api/${path}`, { headers: { authorization: `Bearer ${token}` } })).json();

/** Sends an event that contains HTML and that TikTok refuses. Waits until the event is a dead letter. */
async function refuse({ sandbox, ...stack }, id) {
  const before = (await api('trouble')).letters;
  await sandbox.inject({ fault: 'refuse_event', event_id: id, name_index: false });
  await post(stack, { event: 'Purchase', event_id: id, properties: { order_id: html, value: 99000, currency: 'VND' } });
  await until('the event is refused', async () => (await api('trouble')).letters > before);
  await sandbox.heal();
}

/** Returns the violations that axe-core finds on the page. */
async function wrong(page) {
  await page.evaluate(`(() => { ${axe} })()`);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 3).join(' ')}`);
}

inBrowsers(engines, (scene) => {
  test('the page has no barrier, in both languages, and no horizontal scroll bar at 320 px', async () => {
    await refuse(scene.stack, `bad-${scene.name}-1`);
    const page = await signedIn(scene, 'lang=en');
    const { causes } = await api('trouble');
    for (const query of ['lang=en', `lang=vi&cause=${causes[0].id}&replay=cause:${causes[0].id}&why=${causes[0].newest[0].event_id}`]) {
      await page.goto(`${address}/?${query}`);
      for (const width of [1280, 320]) {
        await page.setViewport({ width, height: 800 });
        const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(wide <= inner, `${query}: the page must fit in ${inner} px, got ${wide} px`);
        assert.deepEqual(await wrong(page), [], `${query} at ${width} px`);
      }
      // Check the width of 320 px once more with every `details` open.
      await page.evaluate(() => document.querySelectorAll('details').forEach((fold) => { fold.open = true; }));
      const [wide, inner] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide <= inner, `${query} unfolded: ${wide} px in ${inner} px`);
      assert.deepEqual(await wrong(page), [], `${query} unfolded`);
      assert.equal(await page.evaluate(() => document.documentElement.lang), query.slice(5, 7));
      // Only Chromium can emulate another colour scheme for a test.
      if (scene.name === 'chromium') {
        await page.setViewport({ width: 1280, height: 800 });
        assert.deepEqual(await faint(page), [], query);
        for (const width of [1280, 768, 360]) {
          await page.setViewport({ width, height: 800 });
          await photograph(page, `console-${query.slice(5, 7)}-${width}`, { fullPage: true });
        }
      }
    }
  });

  test('page, script and style are at most 25 KB together', async () => {
    const page = await signedIn(scene, 'lang=vi');
    const texts = await page.evaluate(async (names) => Promise.all(names.map(async (name) => (await fetch(name)).text())),
      ['/?lang=vi', '/console/console.js', '/console/console.css']);
    const sizes = texts.map((text) => gzipSync(text, { level: 9 }).length);
    console.log(`page, script and style: ${sizes.join(' + ')} bytes with gzip`);
    assert.ok(sizes.reduce((sum, size) => sum + size) <= 25_000, sizes.join(' + '));
  });

  test('the token is nowhere in the page, its address or its storage', async () => {
    const page = await signedIn(scene, 'lang=en&cause=x');
    const places = await page.evaluate(() => [
      location.href, document.cookie, document.documentElement.outerHTML, JSON.stringify({ ...localStorage, ...sessionStorage }),
    ]);
    assert.ok(places.every((place) => !place.includes(token)));
    assert.equal(places[0], `${address}/?lang=en&cause=x`);
    assert.equal(places[1], '');
  });

  test('an event appears without a reload, and HTML in it stays text', async () => {
    const page = await signedIn(scene, 'lang=en');
    await page.evaluate(() => { window.same = true; });
    const id = `live-${scene.name}`;
    await post(scene.stack, { event: 'ViewContent', event_id: id, properties: { order_id: html } });
    await holds(page, () => [...document.querySelectorAll('#events-table tbody tr')].some((row) => row.textContent.includes('<img src=x')));
    assert.equal(await page.evaluate(() => window.same && !window.hacked && document.querySelectorAll('img').length === 0), true);
    await page.goto(`${address}/?lang=en&events=${encodeURIComponent(html)}`);
    assert.equal(await page.$eval('#events', ({ value }) => value), html);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  });

  test('keys alone open a cause, pause the page and show the help', async () => {
    await refuse(scene.stack, `bad-${scene.name}-2`);
    const page = await signedIn(scene, 'lang=en');
    await page.keyboard.press('j');
    const first = await page.evaluate(() => document.activeElement.closest('tr').id);
    assert.match(first, /^cause-/);
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    await page.waitForSelector('#cause-letters');
    await holds(page, () => !document.querySelector('#pause').hidden);
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Escape')]);
    assert.equal(await page.evaluate(() => document.querySelector('#cause-letters')), null);
    await holds(page, () => !document.querySelector('#pause').hidden);
    await page.keyboard.press('p');
    assert.equal(await page.$eval('#pause', (button) => button.getAttribute('aria-pressed')), 'true');
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('?');
    assert.equal(await page.$eval('#help', ({ open }) => open), true);
    await page.keyboard.press('Escape');
    assert.equal(await page.$eval('#help', ({ open }) => open), false);
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('j');
    await holds(page, () => document.activeElement.matches('a.row'));
    await Promise.all([page.waitForNavigation(), page.keyboard.press('r')]);
    assert.match(await page.evaluate(() => location.search), /replay=cause%3A/);
  });

  test('a telephone shows first what needs somebody, and folds the rest', async () => {
    await refuse(scene.stack, `bad-${scene.name}-5`);
    const person = await scene.visitor();
    const page = await person.page();
    await page.setViewport({ width: 360, height: 640 });
    await page.goto(`${address}/?lang=vi`);
    await page.type('#token', token);
    await Promise.all([page.waitForNavigation(), page.click('form button')]);
    await holds(page, () => !document.querySelector('#pause').hidden);
    const bottoms = await page.evaluate(() => ['#sentence', '#needs', 'form.search button']
      .map((name) => document.querySelector(name).getBoundingClientRect().bottom));
    assert.ok(Math.max(...bottoms) <= 640, `${bottoms}`);
    assert.match(await page.$eval('#needs', ({ textContent }) => textContent), /bị TikTok từ chối/);
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    assert.ok(height <= 3 * 640, `${height} px`);
    if (scene.name === 'chromium') await photograph(page, 'console-telephone', { fullPage: true });
    const open = () => page.$$eval('main details', (folds) => folds.filter(({ open }) => open).map(({ parentElement }) => parentElement.id));
    assert.deepEqual(await open(), []);
    // The section that the address names is opened, and stays open while events change it.
    await page.click('#needs a');
    await holds(page, () => document.querySelector('#trouble details').open);
    await page.$eval('#live summary', (summary) => summary.focus());
    await page.keyboard.press('Enter');
    await post(scene.stack, { event: 'ViewContent', event_id: `folded-${scene.name}` });
    await holds(page, () => document.querySelectorAll('#events-table tbody tr').length > 0);
    assert.deepEqual((await open()).sort(), ['live', 'trouble']);
    assert.match(await page.$eval('#legend + ul', ({ textContent }) => textContent), /E e-mail/);
  });

  test('the pause says since when the page stands still', async () => {
    const page = await signedIn(scene, 'lang=en');
    const told = () => page.$eval('#paused[role=status]', ({ textContent }) => textContent);
    assert.equal(await told(), '');
    await page.click('#pause');
    assert.match(await told(), /^Paused since \d+:\d\d:\d\d/);
    assert.equal(await page.$eval('#pause', (button) => button.getAttribute('aria-pressed')), 'true');
    await page.click('#pause');
    assert.equal(await told(), '');
  });

  test('a chart says its scale in text', async () => {
    const page = await signedIn(scene, 'lang=en');
    const scales = await page.$$eval('figure .scale', (all) => all.map(({ textContent }) => textContent));
    assert.equal(scales.length, 3);
    for (const scale of scales) assert.match(scale, /^1 h ago largest: [\d,]+ a minute now$/);
  });

  test('Tab reaches everything, and shows where it is', async () => {
    const page = await signedIn(scene, 'lang=en');
    // Pause the page, because a section that changes during the test would move the focus.
    await page.keyboard.press('p');
    const expected = await page.$$eval('a[href], button, input, summary', (all) => all.filter((one) => one.checkVisibility() && one.type !== 'hidden').length);
    const reached = new Set();
    for (let presses = 0; presses < expected + 5; presses += 1) {
      await page.keyboard.press('Tab');
      const number = await page.evaluate(() => [...document.querySelectorAll('a[href], button, input, summary')].indexOf(document.activeElement));
      if (number < 0) continue;
      // Firefox draws the outline of the focus only in the window that is in front.
      const outline = await page.evaluate(() => document.hasFocus() && getComputedStyle(document.activeElement).outlineStyle);
      if (scene.name !== 'firefox' || outline) assert.equal(outline, 'solid');
      reached.add(number);
    }
    assert.equal(reached.size, expected);
  });

  test('the search explains an event', async () => {
    const id = `searched-${scene.name}`;
    await post(scene.stack, { event: 'ViewContent', event_id: id });
    await scene.stack.serverLeg(id);
    const page = await signedIn(scene, 'lang=en');
    await page.type('#search', id);
    await Promise.all([page.waitForNavigation(), page.click('form.search button')]);
    assert.match(await page.$eval('#why', ({ textContent }) => textContent), /the proxy accepted ViewContent/);
    assert.match(await page.evaluate(() => location.search), new RegExp(`why=${id}`));
  });

  test('a gap of Counted leads to its events, and to no other', async () => {
    const id = `lost-${scene.name}`;
    await refuse(scene.stack, id);
    const page = await signedIn(scene, 'lang=en');
    const lost = (await api('counted')).events.Purchase.outcomes.refused;
    const link = '#counted-Purchase a';
    assert.equal(await page.$eval(link, ({ textContent }) => Number(textContent)), lost);
    await Promise.all([page.waitForNavigation(), page.click(link)]);
    const rows = await page.$$eval('#lost-letters tbody tr', (rows) => rows.map(({ cells }) => [cells[0].textContent, cells[1].textContent]));
    assert.equal(rows.length, lost);
    assert.ok(rows.every(([name]) => name === 'Purchase') && rows.some(([, event]) => event === id));
  });

  test('a dead letter is sent again after its number was shown', async () => {
    const id = `bad-${scene.name}-3`;
    await refuse(scene.stack, id);
    const { causes } = await api('trouble');
    const letter = causes.flatMap(({ newest }) => newest).find(({ event_id: one }) => one === id);
    const page = await signedIn(scene, `lang=en&replay=letter:${letter.id}`);
    assert.match(await page.$eval('#replay', ({ textContent }) => textContent), /would be sent again .*: 1/);
    const button = () => page.$eval('#replay button', ({ textContent }) => textContent);
    await page.click('#replay button');
    assert.match(await button(), /^Undo/);
    await page.click('#replay button');
    assert.equal(await button(), 'Send again');
    await page.click('#replay button');
    await holds(page, () => document.querySelector('#result').textContent.endsWith(': 1'));
    await scene.stack.serverLeg(id);
  });

  test('the latest changes are listed, and a new one appears without a reload', async () => {
    const id = `bad-${scene.name}-4`;
    await refuse(scene.stack, id);
    const { causes } = await api('trouble');
    const letter = causes.flatMap(({ newest }) => newest).find(({ event_id: one }) => one === id);
    const page = await signedIn(scene, 'lang=en');
    const texts = () => page.$$eval('#changes tbody tr', (rows) => rows.map(({ cells }) => cells[1].textContent));
    const before = await texts();
    await page.evaluate((rows) => { window.before = rows; }, before.length);
    assert.match(before.at(-1), /^The proxy started, version .* No earlier start is recorded, so the settings could not be compared\.$/);
    await page.evaluate(async (which) => fetch('/console/api/trouble/replay', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'X-Duet-Console': '1' },
      body: JSON.stringify({ which }),
    }), `letter:${letter.id}`);
    await holds(page, () => document.querySelectorAll('#changes tbody tr').length > window.before);
    assert.deepEqual(await texts(), ['Dead letters sent again: 1 (console)', ...before]);
    await scene.stack.serverLeg(id);
  });

  test('nothing moves for a reader who asked for less motion', async () => {
    const page = await signedIn(scene, 'lang=en');
    const moves = () => {
      document.querySelector('#search').focus();
      const { animationName, transitionDuration } = getComputedStyle(document.activeElement);
      return animationName !== 'none' || transitionDuration !== '0s';
    };
    assert.equal(await page.evaluate(moves), true, 'the check itself must find something that moves');
    // Every CSS rule that moves something must depend on the reader's choice of less motion.
    const unconditional = await page.evaluate(() => [...document.styleSheets]
      .flatMap((sheet) => [...sheet.cssRules])
      .filter(({ media, cssText }) => !media?.mediaText.includes('prefers-reduced-motion') && /animation|transition|scroll-behavior/.test(cssText))
      .map(({ cssText }) => cssText));
    assert.deepEqual(unconditional, []);
    // Only Chromium can emulate the choice for a test.
    if (scene.name !== 'chromium') return;
    await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }]);
    assert.equal(await page.evaluate(moves), false);
  });

  test('the reader chooses dark or light', async () => {
    const page = await signedIn(scene, 'lang=en');
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    for (const [theme, expected] of [['dark', 'rgb(20, 22, 26)'], ['light', 'rgb(255, 255, 255)']]) {
      await Promise.all([page.waitForNavigation(), page.click(`footer a[href*="theme=${theme}"]`)]);
      assert.equal(await paper(), expected);
    }
  });

  test('a page of another origin can neither read nor change anything, though the browser sends the session', async () => {
    const person = await scene.visitor();
    const page = await signedIn(scene, 'lang=en', person);
    // A cookie's site does not include the port. So this page of the same machine belongs to the same site as the console, and
    // the browser sends the console's cookie with the requests of this page.
    await page.goto(scene.stack.fixture);
    const told = await page.evaluate(async (address) => {
      const attempt = (path, init) => fetch(`${address}${path}`, { credentials: 'include', ...init }).then((answer) => answer.status, () => 'refused');
      return [
        await attempt('/console/api/head'),
        await attempt('/console/api/trouble/replay', { method: 'POST', headers: { 'X-Duet-Console': '1' }, body: '{}' }),
      ];
    }, address);
    assert.deepEqual(told, ['refused', 'refused']);
  });
}, settings);
