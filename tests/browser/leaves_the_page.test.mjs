// Leaving the page right after a call loses nothing. Every round has a visitor of its own, so that nothing can be
// made good on a later page.

import { test } from 'node:test';
import { call, init } from './call.mjs';
import { inBrowsers } from './in_browsers.mjs';

const roundsIn = { chromium: { link: 25, tab: 10 }, firefox: { link: 5, tab: 5 } };

inBrowsers(['chromium', 'firefox'], (scene) => {
  const { link, tab } = roundsIn[scene.name];

  test(`${link} visitors follow a link right after a call, and no event is lost`, async () => {
    const { stack } = scene;
    const ids = [];
    for (let round = 0; round < link; round += 1) {
      const visitor = await scene.visitor();
      const page = await visitor.open(stack.fixture);
      await init(page, stack.config);
      const eventId = `link-${round}`;
      await page.evaluate((eventId) => {
        document.querySelector('#next').addEventListener('click', () => {
          window.duet.trackDualEvent('ClickButton', {}, { eventId });
        });
      }, eventId);
      await Promise.all([page.waitForNavigation(), page.click('#next')]);
      ids.push(eventId);
      await visitor.leave();
    }
    for (const eventId of ids) await stack.serverLeg(eventId);
  });

  test(`${tab} visitors close the tab right after a call, and no event is lost`, async () => {
    const { stack } = scene;
    const ids = [];
    for (let round = 0; round < tab; round += 1) {
      const visitor = await scene.visitor();
      const page = await visitor.open(stack.fixture);
      await init(page, stack.config);
      ids.push(await call(page, 'trackDualEvent', 'ClickButton'));
      await page.close();
      await visitor.leave();
    }
    for (const eventId of ids) await stack.serverLeg(eventId);
  });
});
