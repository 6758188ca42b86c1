// `cargo xtask bench page`: measures the SDK's cost on the main thread of a real browser, beside the same logic in plain
// JavaScript. Node measures only the digests and the JSON. The pages are cross-origin isolated, so that their clock has
// steps of 5 µs (Firefox: 20).

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { launch } from '../../tests/browser/browser.mjs';
import { digests } from './plain.js';

const root = join(import.meta.dirname, '../..');
const built = (path) => readFileSync(join(root, 'target/npm', path));
const timed = (script) => `globalThis.began = performance.now();${script}`;
const config = { pixelId: 'C4ABCDEFGHIJ0123456789', pixelScriptUrl: '/pixel.js', endpoint: '/track', country: 'VN', currency: 'VND' };

const files = {
  '/': ['text/html', '<!doctype html><title>bench</title>'],
  '/pixel.js': ['text/javascript', ''],
  '/plain.js': ['text/javascript', timed(readFileSync(join(import.meta.dirname, 'plain.js')))],
  '/measure.js': ['text/javascript', readFileSync(join(import.meta.dirname, 'measure.js'))],
  '/sdk/timed.js': ['text/javascript', timed(built('duet-sdk/index.js'))],
  '/sdk/duet.wasm': ['application/wasm', built('duet-sdk/duet.wasm')],
};

const server = createServer(async (request, response) => {
  const headers = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
  if (request.url === '/track') {
    let body = '';
    for await (const part of request) body += part;
    const results = JSON.parse(body).events.map(({ event_id }) => ({ event_id, status: 'accepted' }));
    response.writeHead(202, { ...headers, 'content-type': 'application/json' });
    return response.end(JSON.stringify({ success: true, results }));
  }
  const [type, text] = files[request.url] ?? ['text/plain', ''];
  response.writeHead(files[request.url] ? 200 : 404, { ...headers, 'content-type': type });
  return response.end(text);
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const address = `http://127.0.0.1:${server.address().port}/`;

const print = (label, { best, median, p99 }, of) =>
  console.log(`${label.padEnd(56)}${[best, median, p99].map((us) => us.toFixed(0).padStart(8)).join('')}${of ? (median / of.median).toFixed(2).padStart(8) : ''}`);

async function measure(name, throttle) {
  const browser = await launch(name);
  const label = throttle > 1 ? `${name}, ${throttle}x slower` : name;
  try {
    const page = await browser.newPage();
    if (throttle > 1) await page.emulateCPUThrottling(throttle);
    const fresh = () => page.goto(address, { waitUntil: 'load' });
    await fresh();
    print(`${label}: compile and instantiate`, await page.evaluate(async () => (await import('/measure.js')).starting(60)));
    const visits = { '/sdk/timed.js': [], '/plain.js': [] };
    for (let visit = 0; visit < 15; visit += 1) {
      for (const [script, times] of Object.entries(visits)) {
        await fresh();
        times.push(await page.evaluate(async (script, config) => (await import('/measure.js')).usable(script, config), script, config));
      }
    }
    const spread = (times) => ({ best: times[0], median: times[7], p99: times[14] });
    const [returned, begun, plainly] = [
      visits['/sdk/timed.js'].map(([ms]) => ms),
      visits['/sdk/timed.js'].map(([, ms]) => ms),
      visits['/plain.js'].map(([ms]) => ms),
    ].map((times) => spread(times.sort((one, other) => one - other)));
    print(`${label}: script evaluated to usable`, returned, plainly);
    print(`${label}: to all that init() does`, begun, plainly);
    print(`${label}: the same in plain JavaScript`, plainly);
    await fresh();
    const { stubbed, real, plain, stored } = await page.evaluate(async (config) => (await import('/measure.js')).tracking(config, 1000), config);
    print(`${label}: a call with a stubbed network`, stubbed, plain);
    print(`${label}: a call with the real network`, real, plain);
    print(`${label}: the same in plain JavaScript`, plain);
    print(`${label}: localStorage.setItem alone`, stored, plain);
  } finally {
    await browser.close();
  }
}

/** Returns the microseconds for three digests and for writing the event as JSON. The best of many rounds counts. */
async function core() {
  Object.assign(globalThis, JSON.parse(built('build/names.json')));
  const { attach, connect } = await import('../../sdk/page/core.js');
  const { imports } = await import('../../sdk/page/effects.js');
  const module = new WebAssembly.Module(built('duet-sdk/duet.wasm'));
  const call = connect((all) => new WebAssembly.Instance(module, all).exports, imports());
  attach(call);
  call(COUNTRY, config.country);
  const { digestsOf, members } = await import('../../sdk/page/visitor.js');
  const user = { email: 'someone@example.com', phone: '0901 234 567', externalId: 'user_2abcDEF' };
  const stated = Object.values(user);
  const onPage = () => JSON.stringify({ event: 'Purchase', user: members(digestsOf(stated)) });
  const inJavaScript = () => JSON.stringify({ event: 'Purchase', user: digests(user) });
  const each = (task) => {
    let best = Infinity;
    for (let round = 0; round < 40; round += 1) {
      const before = performance.now();
      for (let at = 0; at < 2000; at += 1) task();
      best = Math.min(best, (performance.now() - before) / 2);
    }
    return best;
  };
  const [page, plain] = [each(onPage), each(inJavaScript)];
  console.log(`\nNode, best of 40 rounds, µs: three digests and JSON ${page.toFixed(1)}; in plain JavaScript ${plain.toFixed(1)}`);
}

console.log(`${'µs'.padEnd(56)}${['best', 'median', 'p99', 'ratio'].map((word) => word.padStart(8)).join('')}`);
try {
  await measure('chromium', 1);
  await measure('chromium', 4);
  await measure('firefox', 1);
  await measure('webkit', 1);
  await core();
} finally {
  server.close();
  server.closeAllConnections();
}
