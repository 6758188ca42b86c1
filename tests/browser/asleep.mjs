// Imitates a phone with a page in the background. The page stops. Later the page continues, or the phone ends it.

import { holds } from './browser.mjs';

/** Puts the pages of a visitor to sleep. Returns functions that wake the pages up or end the sleeping pages. */
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
      // After it wakes up, the page stays hidden until its tab is selected.
      const other = await context.newPage();
      await other.bringToFront();
      await page.bringToFront();
      await other.close();
    },
    // The command to end a page gets no answer from the ended page.
    async die() {
      devtools.send('Page.crash').catch(() => {});
    },
  };
}
