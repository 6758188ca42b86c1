// On a site without a visit for 7 days, Safari deletes all data that scripts stored, including the scripts' cookies. Safari
// keeps a cookie that a server set in an answer. Therefore the proxy's cookie keeps the click id.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sdkOn } from './browser.mjs';
import { init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';

const dayS = 24 * 60 * 60;

/** Limits cookies of scripts to 7 days, as Safari does. WebKitGTK has this rule, but a test cannot switch it on. */
function capCookiesOfScripts() {
  const { get, set } = Object.getOwnPropertyDescriptor(Document.prototype, 'cookie');
  const capped = (text) => text.replace(/max-age=(\d+)/i, (_, seconds) => `max-age=${Math.min(seconds, 604_800)}`);
  Object.defineProperty(document, 'cookie', { get, set(text) { set.call(document, capped(text)); } });
}

inBrowsers(engines, (scene) => {
  async function landed(click) {
    const visitor = await scene.visitor();
    const page = await visitor.open(`${scene.stack.fixture}?ttclid=${click}`, (page) => page.evaluateOnNewDocument(capCookiesOfScripts));
    await init(page, scene.stack.config);
    return { visitor, page };
  }

  const lasting = async (visitor) => (await visitor.context.cookies()).filter(({ expires }) => expires > Date.now() / 1000 + 8 * dayS);

  async function assertClickLasts(visitor, click) {
    const clicks = (await lasting(visitor)).filter(({ name }) => name === 'ttclid');
    assert.deepEqual(clicks.map(({ value }) => value), [click]);
  }

  /** Simulates eight days without a visit: only the cookies that expire later are left. */
  async function forgetScripts(visitor, page) {
    const kept = (await lasting(visitor)).map(({ name }) => name);
    await page.evaluate((kept) => {
      localStorage.clear();
      sessionStorage.clear();
      const names = document.cookie.split('; ').map((pair) => pair.split('=')[0]);
      for (const name of names) if (!kept.includes(name)) document.cookie = `${name}=; max-age=0; path=/`;
    }, kept);
  }

  test('the click comes back in the cookie of the proxy alone', async () => {
    const { stack } = scene;
    const { visitor, page } = await landed('E.C.P.evicted');
    const first = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(first.eventId);
    await assertClickLasts(visitor, 'E.C.P.evicted');
    await forgetScripts(visitor, page);

    const later = await visitor.open(stack.fixture);
    await init(later, stack.config);
    const { eventId } = await report(later, 'trackServerInitiateCheckout', { planId: 'exam', value: 199000 });
    const [{ user }] = await stack.bothLegs(eventId);
    assert.equal(user.ttclid, 'E.C.P.evicted');
  });

  test('a landing page that is loaded again leaves the cookie of the proxy alone', async () => {
    const { stack } = scene;
    const { visitor, page } = await landed('E.C.P.again');
    const { eventId } = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(eventId);
    await page.reload();
    await sdkOn(page);
    await init(page, stack.config);
    const again = await report(page, 'trackDualEvent', 'ViewContent');
    await stack.bothLegs(again.eventId);
    await assertClickLasts(visitor, 'E.C.P.again');
  });
});
