// `debug: true` fetches the proxy's own rules and tells on the console what they say; without it nothing
// is fetched.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  /** A page and what it writes on its console; a table is the rows it was given. */
  async function listened() {
    const page = await (await scene.visitor()).open(scene.stack.fixture);
    const lines = [];
    const fetched = [];
    page.on('console', async (message) => {
      if (message.type() !== 'table') return lines.push(message.text());
      const [rows] = message.args();
      return lines.push(JSON.stringify(await rows.jsonValue()));
    });
    page.on('request', (request) => fetched.push(new URL(request.url()).pathname));
    const said = (words) => until(`the console says "${words}"`, () => lines.find((line) => line.includes(words)), { found: () => lines });
    return { page, said, fetched };
  }

  test('the console says how the proxy is, and what it would say of each call', async () => {
    const { page, said } = await listened();
    await init(page, { ...scene.stack.config, country: undefined, debug: true });
    await said('the proxy is well');
    await call(page, 'trackDualEvent', 'viewcontent');
    await said('viewcontent: the proxy will refuse it');
    await said('a standard event in another case, which TikTok would count as a custom one');
    const { eventId } = await report(page, 'trackDualEvent', 'Search', { search_string: 'x' }, { user: { phone: '0901234567' } });
    const warning = await said('a phone number starts with + and the country code');
    assert.ok(!warning.includes('0901'), 'no personal value');
    await said(`${eventId}: accepted`);
  });

  test('a proxy that is not there is named', async () => {
    const { page, said } = await listened();
    await init(page, { ...scene.stack.config, endpoint: '/nowhere', debug: true });
    await said('/nowhere right?');
  });

  test('without it, nothing of it is fetched', async () => {
    const { page, fetched } = await listened();
    await init(page, scene.stack.config);
    await report(page, 'trackServerEvent', 'ViewContent');
    assert.ok(!fetched.some((path) => path.includes('debug')), fetched.join());
  });
});
