// A page with two pixels: each event reaches both pixels on both legs, with one event_id.

import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { accessToken, otherPixelId, pixelId } from './stack.mjs';
import { until } from './until.mjs';

/** Returns the settings of a proxy with two pixels. The list of origins of each pixel contains the site. */
function twoPixels(site) {
  const folder = mkdtempSync(join(tmpdir(), 'duet-pixels-'));
  writeFileSync(join(folder, 'token'), accessToken);
  chmodSync(join(folder, 'token'), 0o600);
  const tables = [pixelId, otherPixelId].map((code) => `[[pixels]]
pixel_id = "${code}"
access_token_file = "token"
origins = ["http://127.0.0.1:${site.port}"]
`);
  writeFileSync(join(folder, 'pixels.toml'), tables.join('\n'));
  return { DUET_PIXELS_FILE: join(folder, 'pixels.toml'), TIKTOK_PIXEL_ID: '', TIKTOK_ACCESS_TOKEN: '' };
}

inBrowsers(engines, (scene) => {
  /** Returns each pixel that counted the event, with the channels of the event's signals. */
  async function counted(eventId) {
    const conversions = await scene.stack.sandbox.conversionsOf(eventId);
    return conversions
      .map(({ pixel, signals }) => [pixel, signals.map(({ channel }) => channel).sort().join(' ')].join(': '))
      .sort();
  }

  async function opened(second) {
    const { stack } = scene;
    const visitor = await scene.visitor();
    const page = await visitor.open(stack.fixture);
    await init(page, stack.config);
    await init(page, { ...stack.config, pixelId: otherPixelId, ...second });
    return page;
  }

  test('an event of two pixels counts once at each, from both legs', async () => {
    const page = await opened();
    const { eventId, delivery } = await report(page, 'trackDualEvent', 'ViewContent');
    assert.equal(delivery.status, 'accepted');
    const expected = [pixelId, otherPixelId].map((code) => `${code}: pixel server`).sort();
    await until('both pixels have counted both legs', async () => {
      const found = await counted(eventId);
      return found.join() === expected.join();
    });
    const posted = scene.stack.posted().filter((event) => event.event_id === eventId);
    assert.deepEqual(posted.map((event) => event.pixel_id).sort(), [pixelId, otherPixelId].sort());
  });

  test('a pixel that the page does not run gets the copy of the proxy', async () => {
    const page = await opened({ pixel: 'off' });
    const { eventId } = await report(page, 'trackDualEvent', 'Search', { query: 'two' });
    const expected = [`${pixelId}: pixel server`, `${otherPixelId}: server`].sort();
    await until('each pixel has counted the expected legs', async () => (await counted(eventId)).join() === expected.join());
  });
}, twoPixels);
