// The SDK reads the click id from the landing address before a router can remove the click id. The SDK keeps the click id
// for 30 days.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';

const days30S = 30 * 24 * 60 * 60;

inBrowsers(engines, (scene) => {
  const land = async (visitor, click) => visitor.open(`${scene.stack.fixture}?ttclid=${click}`);
  const navigate = (page, path) => page.evaluate((path) => history.pushState(null, '', path), path);

  async function assertCarried(page, click) {
    const { stack } = scene;
    const { eventId } = await report(page, 'trackServerInitiateCheckout', { planId: 'exam', value: 199000 });
    const [{ user }] = await stack.bothLegs(eventId);
    assert.equal(user.ttclid, click);
    assert.equal(stack.posted().find((event) => event.event_id === eventId).user.ttclid, click);
  }

  test('an event carries the click after two navigations within the page', async () => {
    const page = await land(await scene.visitor(), 'E.C.P.landing');
    await init(page, scene.stack.config);
    await navigate(page, '/pages/fixture.html?step=1');
    await navigate(page, '/pages/fixture.html?step=2');
    await assertCarried(page, 'E.C.P.landing');
  });

  test('an event carries the click when the router was there before init()', async () => {
    const page = await land(await scene.visitor(), 'E.C.P.router');
    await page.evaluate(() => history.replaceState(null, '', '/pages/fixture.html'));
    await init(page, scene.stack.config);
    await assertCarried(page, 'E.C.P.router');
  });

  test('an event carries the click of a page that was left before init() had done what it puts off', async () => {
    const visitor = await scene.visitor();
    const page = await land(visitor, 'E.C.P.brief');
    await Promise.all([page.waitForNavigation(), page.evaluate((config) => {
      const later = window.setTimeout;
      // Tasks that init() delays never run on this page.
      window.setTimeout = () => 0;
      window.duet.init(config);
      later(() => location.assign('/pages/next.html'));
    }, scene.stack.config)]);
    const later = await visitor.open(scene.stack.fixture);
    await init(later, scene.stack.config);
    await assertCarried(later, 'E.C.P.brief');
  });

  test('the click is kept 30 days, and a newer one takes its place', async () => {
    const visitor = await scene.visitor();
    await init(await land(visitor, 'E.C.P.first'), scene.stack.config);
    const soonest = Date.now() / 1000 + days30S;
    const page = await land(visitor, 'E.C.P.second');
    await init(page, scene.stack.config);
    const cookies = (await visitor.context.cookies()).filter(({ name }) => name === 'ttclid');
    assert.equal(cookies.length, 1);
    assert.equal(cookies[0].value, 'E.C.P.second');
    const latest = Date.now() / 1000 + days30S;
    const { expires } = cookies[0];
    // Browsers store whole seconds.
    assert.ok(expires > soonest - 2 && expires < latest + 2, `the cookie must expire between ${soonest} and ${latest}, got ${expires}`);

    const later = await visitor.open(scene.stack.fixture);
    await init(later, scene.stack.config);
    await assertCarried(later, 'E.C.P.second');
  });
});
