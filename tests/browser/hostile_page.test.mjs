// The page's own scripts may have broken any function of the browser. No call throws, and Duet reports everything that can
// still be reported.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkOn } from './browser.mjs';
import { call, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  async function openAfter(breakIt) {
    const page = await (await scene.visitor()).page();
    await page.evaluateOnNewDocument(breakIt);
    await page.goto(scene.stack.fixture);
    await sdkOn(page);
    await init(page, scene.stack.config);
    return page;
  }

  test('an event reaches both legs where storage is denied', async () => {
    const page = await openAfter(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });
      }
    });
    await call(page, 'identify', { email: 'lan@example.com' });
    const { eventId, delivery } = await report(page, 'trackServerCompletePayment', {
      orderId: `NET${Date.now()}`, value: 99000, currency: 'VND',
    });
    assert.equal(delivery.status, 'accepted');
    const [{ signals }] = await scene.stack.bothLegs(eventId);
    for (const { match_keys: keys } of signals) assert.ok(keys.includes('email'));
  });

  for (const [what, breakIt] of [
    ['rejects with nothing', () => { window.fetch = () => Promise.reject(); }],
    ['throws', () => { window.fetch = () => { throw 'no'; }; }],
    ['resolves with a text', () => { window.fetch = () => Promise.resolve('ok'); }],
    ['never answers', () => {
      window.fetch = () => new Promise(() => {});
      // Shorten all timers, so that the test need not wait ten seconds.
      window.setTimeout = (task, ms, ...args) => window.realSetTimeout(task, ms / 20, ...args);
    }],
  ]) {
    test(`an event is kept where fetch ${what}, and sent once it works`, async () => {
      const { stack } = scene;
      const page = await openAfter(() => {
        window.realFetch = window.fetch;
        window.realSetTimeout = window.setTimeout;
      });
      await page.evaluate(breakIt);
      const { eventId, delivery } = await report(page, 'trackServerEvent', 'ViewContent');
      assert.equal(delivery.status, 'queued');
      assert.equal(await call(page, 'pending'), 1);
      await page.evaluate(() => {
        window.fetch = window.realFetch;
        window.setTimeout = window.realSetTimeout;
      });
      // The SDK sends the event again only after it has given up the running request, which never gets an answer.
      await until('no event is pending on the page', async () => {
        await call(page, 'flush');
        return (await call(page, 'pending')) === 0;
      });
      const [{ signals }] = await stack.serverLeg(eventId);
      assert.equal(signals.length, 1);
    });
  }

  test('the server leg arrives where forms and images are called like members of the document', async () => {
    const page = await (await scene.visitor()).page();
    await page.goto(scene.stack.fixture);
    await sdkOn(page);
    await page.evaluate(() => {
      const names = ['cookie', 'createElement', 'currentScript', 'head', 'hidden', 'location', 'prerendering', 'querySelector',
        'referrer', 'URL', 'visibilityState'];
      const forms = names.map((name, at) => `<form name="${name}"></form>` + (at % 2 ? `<img name="${name}">` : ''));
      document.body.insertAdjacentHTML('beforeend', forms.join(''));
      if (typeof document.referrer === 'string' || typeof document.cookie === 'string') throw new Error('document.referrer and document.cookie must be hidden by elements');
    });
    await init(page, scene.stack.config);
    await call(page, 'identify', { email: 'lan@example.com' });
    const { eventId, delivery } = await report(page, 'trackDualEvent', 'Search', { query: 'phở' });
    assert.equal(delivery.status, 'accepted');
    // The Pixel's own script may fail on such a page. Duet only inserts the script, so the test does not expect the Pixel leg.
    const [{ signals }] = await scene.stack.serverLeg(eventId);
    for (const { match_keys: keys } of signals) assert.ok(keys.includes('email'));
    assert.ok(await page.evaluate(() => window.ttq._i && performance.getEntriesByType('resource').some(({ name }) => name.includes('sdkid='))));
  });

  test('a property that cannot be read costs itself alone, and an event without a name is said to have none', async () => {
    const page = await openAfter(() => {});
    const { errors, named, unnamed } = await page.evaluate(async () => {
      const errors = [];
      window.duet.on('error', ({ code, field }) => errors.push(`${code} ${field}`));
      const circle = {};
      circle.circle = circle;
      const { eventId, delivery } = window.duet.trackDualEvent('Search', {
        query: 'phở',
        circle,
        get thrown() { throw new Error('no'); },
        value: NaN,
        options: new Map([['a', 1]]),
      });
      const named = { eventId, status: (await delivery).status };
      const unnamed = await window.duet.trackDualEvent(undefined).delivery;
      return { errors, named, unnamed };
    });
    assert.equal(named.status, 'accepted');
    assert.deepEqual(errors.sort(), [
      'event_name event', 'number properties.value', 'property properties.circle', 'property properties.options',
      'property properties.thrown',
    ]);
    assert.equal(unnamed.status, 'invalid');
    await scene.stack.bothLegs(named.eventId);
  });

  test('the server leg arrives where ttq is something else altogether', async () => {
    const page = await openAfter(() => { window.ttq = { load: 'not a function' }; });
    const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent');
    assert.equal(delivery.status, 'accepted');
    await scene.stack.serverLeg(eventId);
  });

  for (const [what, breakIt] of [
    ['there is no crypto.randomUUID', () => { delete Crypto.prototype.randomUUID; }],
    ['every call of ttq throws', () => {
      const broken = new Proxy([], { get() { throw new Error('broken'); } });
      Object.defineProperty(window, 'ttq', { get: () => broken, set() {} });
    }],
    ['storage is full', () => {
      Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };
    }],
    ['what is stored is rubbish', () => {
      for (const key of ['e:', 'e:x', 'e:1-2', 'user', 'ttclid', 'wait', 'lock', 'o:x']) {
        localStorage.setItem(`duet:${key}`, '\u001f\u001e{"\ud800 rubbish');
      }
    }],
    ['the clock is a day slow', () => { const { now } = Date; Date.now = () => now() - 86_400_000; }],
    ['the clock is a day fast', () => { const { now } = Date; Date.now = () => now() + 86_400_000; }],
    ['there are no locks', () => { Object.defineProperty(navigator, 'locks', { value: undefined }); }],
    ['requests cannot outlive their page', () => { delete Request.prototype.keepalive; }],
  ]) {
    test(`the server leg arrives where ${what}`, async () => {
      const page = await openAfter(breakIt);
      const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent');
      assert.equal(delivery.status, 'accepted');
      assert.equal(delivery.event, 'ViewContent');
      await scene.stack.serverLeg(eventId);
    });
  }

  test('the server leg arrives where there is no crypto at all', async () => {
    const { stack } = scene;
    const page = await (await scene.visitor()).page();
    await page.evaluateOnNewDocument(() => { Object.defineProperty(window, 'crypto', { value: undefined }); });
    await page.goto(stack.fixture);
    await sdkOn(page);
    // Switch the Pixel off, because its script needs `crypto`. This script is TikTok's and not part of Duet.
    await init(page, { ...stack.config, pixel: 'off' });
    const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.serverLeg(eventId);
  });

  test('an event of an earlier page is sent although what lies beside it is JSON of something else', async () => {
    const page = await openAfter(() => {
      const leftAt = Date.now() - 60_000;
      const event = { event: 'ViewContent', event_id: 'left-behind-among-json', consent: 'granted', event_time: Math.floor(leftAt / 1000) };
      const beside = ['5', 'true', 'null', '{}', '[]', '"text"', '[5,6,7]'];
      for (const [at, text] of [...beside, JSON.stringify([true, '', event])].entries()) {
        localStorage.setItem(`duet:e:${leftAt}-0.${at}`, text);
      }
    });
    const [{ event_id: eventId }] = await scene.stack.serverLeg('left-behind-among-json');
    assert.equal(eventId, 'left-behind-among-json');
    await until('no event is pending on the page', async () => (await call(page, 'pending')) === 0);
  });

  test('two copies of the SDK share one state, and an event of either goes out once', async () => {
    const { stack } = scene;
    const page = await openAfter(() => {});
    const ids = await page.evaluate(async (config) => {
      const other = await import('/duet-sdk/index.js?another-copy');
      await other.init(config);
      const calls = [window.duet, other].map((copy) => copy.trackDualEvent('ViewContent', { value: 1, currency: 'VND' }));
      await Promise.all(calls.map(({ delivery }) => delivery));
      return calls.map(({ eventId }) => eventId);
    }, stack.config);
    for (const id of ids) {
      const [{ signals }] = await stack.bothLegs(id);
      assert.equal(signals.length, 2);
      assert.equal(stack.posted().filter((event) => event.event_id === id).length, 1);
    }
  });
});
