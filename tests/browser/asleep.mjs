// Imitates a phone with a page in the background: the page stops, and later continues or is ended.

import { holds } from './browser.mjs';

/** Puts the pages of a visitor to sleep. Returns functions that wake them up or end them while they sleep. */
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
      // The page stays hidden until its tab is selected.
      const other = await context.newPage();
      await other.bringToFront();
      await page.bringToFront();
      await other.close();
    },
    // An ended page does not answer.
    async die() {
      devtools.send('Page.crash').catch(() => {});
    },
  };
}
