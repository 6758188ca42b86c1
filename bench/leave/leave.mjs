// `cargo xtask bench leave [ROUNDS [WORD…]]`: visitors make a call and leave the page at once. By default they leave in
// every way. With words, they leave only in the ways whose names contain one of the words. Each way is measured with a near
// and with a distant proxy, in three browsers. The default is 1,000 rounds. Prints how each event arrived, and fails if an
// event did not arrive.

import { engines, launch, sdkOn, visitor } from '../../tests/browser/browser.mjs';
import { endpoints, leave, surroundings, ways } from '../../tests/browser/leaving.mjs';
import { startStack } from '../../tests/browser/stack.mjs';

const means = ['keepalive', 'beacon', 'next visit', 'lost'];
// Each visitor has a browser context and so a separate outbox.
const sideBySide = 6;

const [all = 1_000, ...words] = process.argv.slice(2);
const chosen = Object.keys(ways).filter((way) => words.length === 0 || words.some((word) => way.includes(word)));
const rounds = Math.ceil(all / (engines.length * endpoints.length * chosen.length));

/** Opens pages for a visitor, in the existing tab if it was not closed. */
function tab(one) {
  let page;
  const opened = async (url) => {
    if (!page || page.isClosed()) page = await one.page();
    await page.goto(url);
    await sdkOn(page);
    return page;
  };
  return async (url) => {
    for (let left = 5; ; left -= 1) {
      try {
        return await opened(url);
      } catch (error) {
        // Firefox can refuse to open a tab at the moment when another tab is closed.
        if (left === 0 || !/browsingContext\.create/.test(error.message)) throw error;
      }
    }
  };
}

/** Lets visitors leave in one way until there were enough rounds. Returns the number of events for each means of arrival. */
async function measure(scene, way, endpoint) {
  const counted = Object.fromEntries(means.map((name) => [name, 0]));
  let begun = 0;
  const comeAndGo = async () => {
    const one = await visitor(scene.browser);
    const open = tab(one);
    while (begun < rounds) {
      const eventId = `left-${(begun += 1)}`;
      try {
        const how = await leave({ ...scene, visitor: { open }, way, endpoint, eventId });
        await scene.stack.serverLeg(eventId);
        counted[how] += 1;
      } catch (error) {
        console.error(`${eventId}: ${error.message.slice(0, 300)}`);
        counted.lost += 1;
      }
    }
    await one.leave();
  };
  await Promise.all(Array.from({ length: sideBySide }, comeAndGo));
  return counted;
}

let lost = 0;
console.log(`${'events a cell: '.concat(rounds).padEnd(86)}${means.map((name) => name.padStart(11)).join('')}`);
for (const name of engines) {
  const browser = await launch(name);
  try {
    for (const way of chosen) {
      for (const endpoint of endpoints) {
        // Use a separate stack, because the taps of a stack remember every request, and all these requests are read again
        // and again.
        const stack = await startStack((site) => ({ DUET_ALLOWED_ORIGINS: `http://127.0.0.1:${site.port}` }));
        const places = await surroundings(stack);
        try {
          const counted = await measure({ stack, places, browser }, way, endpoint);
          console.log(`${`${name}: ${way}, the proxy ${endpoint}`.padEnd(86)}${means.map((one) => String(counted[one]).padStart(11)).join('')}`);
          lost += counted.lost;
        } finally {
          await places.stop();
          await stack.stop();
        }
      }
    }
  } finally {
    await browser.close();
  }
}
console.log(`lost = ${lost}`);
process.exitCode = lost ? 1 : 0;
