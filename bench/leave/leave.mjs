// `cargo xtask bench leave [ROUNDS]`: visitors call and leave the page at once, in every way, with the proxy near and far, in
// two browsers; 1,000 rounds unless told otherwise. Prints how each event arrived, and fails where one did not.

import { launch, visitor } from '../../tests/browser/browser.mjs';
import { endpoints, leave, surroundings, ways } from '../../tests/browser/leaving.mjs';
import { startStack } from '../../tests/browser/stack.mjs';

const browsers = ['chromium', 'firefox'];
const means = ['keepalive', 'beacon', 'next visit', 'lost'];

const all = Number(process.argv[2] ?? 1_000);
const rounds = Math.ceil(all / (browsers.length * endpoints.length * Object.keys(ways).length));

async function measure(scene, way, endpoint, label) {
  const visitors = await visitor(scene.browser);
  const counted = Object.fromEntries(means.map((name) => [name, 0]));
  for (let round = 0; round < rounds; round += 1) {
    const eventId = `${label}-${round}`;
    try {
      const how = await leave({ ...scene, visitor: visitors, way, endpoint, eventId });
      await scene.stack.serverLeg(eventId);
      counted[how] += 1;
    } catch (error) {
      console.error(`${eventId}: ${error.message.slice(0, 300)}`);
      counted.lost += 1;
    }
  }
  await visitors.leave();
  return counted;
}

let lost = 0;
console.log(`${'events a cell: '.concat(rounds).padEnd(86)}${means.map((name) => name.padStart(11)).join('')}`);
for (const name of browsers) {
  const stack = await startStack((site) => ({ DUET_ALLOWED_ORIGINS: `http://127.0.0.1:${site.port}` }));
  const browser = await launch(name);
  const places = await surroundings(stack);
  try {
    for (const [number, way] of Object.keys(ways).entries()) {
      for (const [far, endpoint] of endpoints.entries()) {
        const counted = await measure({ stack, places, browser }, way, endpoint, `${name}-${number}-${far}`);
        console.log(`${`${name}: ${way}, the proxy ${endpoint}`.padEnd(86)}${means.map((one) => String(counted[one]).padStart(11)).join('')}`);
        lost += counted.lost;
      }
    }
  } finally {
    await browser.close();
    await places.stop();
    await stack.stop();
  }
}
console.log(`lost = ${lost}`);
process.exitCode = lost ? 1 : 0;
