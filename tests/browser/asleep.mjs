// What a phone does to a page that nobody looks at: it stops, and goes on or is ended.

import { holds } from './browser.mjs';

/** Has the pages of a visitor sleep; gives back how they wake up, and how they die in their sleep. */
export async function fallAsleep({ context }, page) {
  if (context.sleep) {
    context.sleep();
    return context;
  }
  await page.evaluate(() => {
    window.states = [];
    for (const state of ['freeze', 'resume']) document.addEventListener(state, () => window.states.push(state));
  });
  const devtools = await page.createCDPSession();
  const state = (state) => devtools.send('Page.setWebLifecycleState', { state });
  await state('frozen');
  return {
    async wake() {
      await state('active');
      await holds(page, () => window.states.join() === 'freeze,resume');
      // It stays hidden until its tab is chosen.
      const other = await context.newPage();
      await other.bringToFront();
      await page.bringToFront();
      await other.close();
    },
    // What is dead does not answer.
    async die() {
      devtools.send('Page.crash').catch(() => {});
    },
  };
}
