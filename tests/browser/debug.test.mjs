// With `debug: true`, the page fetches the proxy's own rules and logs their results to the console. Without `debug`, the
// page fetches no rules.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, init, report } from './call.mjs';
import { engines, inBrowsers } from './in_browsers.mjs';
import { listen, pass } from './tap.mjs';
import { until } from './until.mjs';

inBrowsers(engines, (scene) => {
  /** Opens a page, and collects the lines of its console. A table is collected as its rows. */
  async function listened(address = scene.stack.fixture) {
    const page = await (await scene.visitor()).open(address);
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
    await said('the proxy is healthy');
    await call(page, 'trackDualEvent', 'viewcontent');
    await said('viewcontent: the proxy will reject this event');
    await said('a standard name in another case, which TikTok would count as a custom event');
    const { eventId } = await report(page, 'trackDualEvent', 'Search', { search_string: 'x' }, { user: { phone: '0901234567' } });
    const warning = await said('a phone number starts with + and the country code');
    assert.ok(!warning.includes('0901'), 'the warning must not contain the personal value');
    await said(`${eventId}: accepted`);
  });

  test('a proxy that is not there is named', async () => {
    const { page, said } = await listened();
    await init(page, { ...scene.stack.config, endpoint: '/nowhere', debug: true });
    const named = await said('check the endpoint');
    assert.ok(named.includes('/nowhere'), named);
  });

  test("the proxy's own sentence about a foreign origin is printed, and it names the setting", async () => {
    const { site, proxy } = scene.stack;
    // Like most development servers, this server replaces the Host header of the page's request by the address of the proxy.
    const host = `127.0.0.1:${proxy.port}`;
    const developing = await listen((incoming, outgoing) =>
      incoming.url.startsWith('/api/')
        ? pass(incoming, outgoing, proxy.port, [], { headers: { host } })
        : pass(incoming, outgoing, site.port, []),
    );
    try {
      const { page, said } = await listened(`http://127.0.0.1:${developing.port}/pages/fixture.html`);
      await init(page, { ...scene.stack.config, pixel: 'off', debug: true });
      const sentence = await said("the proxy rejects this page's events (HTTP 403)");
      assert.match(sentence, /DUET_ALLOWED_ORIGINS/);
    } finally {
      await developing.stop();
    }
  });

  test('without it, nothing of it is fetched', async () => {
    const { page, fetched } = await listened();
    await init(page, scene.stack.config);
    await report(page, 'trackServerEvent', 'ViewContent');
    assert.ok(!fetched.some((path) => path.includes('debug')), fetched.join());
  });
});
