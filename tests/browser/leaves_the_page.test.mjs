// A visitor leaves the page right after a call. The event is not lost, and does not have to wait for the next visit,
// because its request continues after the page is left. `cargo xtask bench leave` repeats this a thousand times.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { holds } from './browser.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { endpoints, leave, surroundings, ways } from './leaving.mjs';

const roundsIn = { chromium: 2, firefox: 1, webkit: 1 };

inBrowsers(engines, (scene) => {
  let places;
  before(async () => {
    places = await surroundings(scene.stack);
  });
  after(() => places?.stop());
  const rounds = roundsIn[scene.name];
  const times = rounds === 1 ? 'once' : `${rounds} times`;

  for (const way of Object.keys(ways)) {
    for (const endpoint of endpoints) {
      test(`a visitor who ${way} ${times} loses no event, with the proxy ${endpoint}`, async () => {
        const { stack } = scene;
        const visitor = await scene.visitor();
        for (let round = 0; round < rounds; round += 1) {
          const eventId = `${way}-${endpoint}-${round}`.replace(/\W/g, '').slice(-64);
          assert.equal(await leave({ stack, visitor, places, way, endpoint, eventId }), 'keepalive', eventId);
          await stack.serverLeg(eventId);
        }
      });
    }
  }

  // A page that is already hidden gets no `visibilitychange` when it is left, and its timers run late. Once the SDK knows
  // the state of the Pixel, it has no reason to wait, so it sends the event at once.
  for (const way of ['leaves a page that calls in pagehide', 'closes the tab']) {
    test(`a visitor who ${way} in the background loses no event`, async () => {
      const { stack } = scene;
      const visitor = await scene.visitor();
      const prepare = async (page) => {
        await page.evaluate(() => new Promise((known) => { window.duet.on('pixel', known); }));
        const other = await visitor.page();
        await other.bringToFront();
        await holds(page, () => document.hidden);
      };
      const eventId = `background-${way}`.replace(/\W/g, '').slice(-64);
      const [endpoint] = endpoints;
      assert.equal(await leave({ stack, visitor, places, way, endpoint, eventId, prepare }), 'keepalive');
      await stack.serverLeg(eventId);
    });
  }
}, (site) => ({ DUET_ALLOWED_ORIGINS: `http://127.0.0.1:${site.port}` }));
