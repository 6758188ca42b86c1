// Everything between a page and TikTok, run for real on free ports of loopback: the site, the proxy, the sandbox
// that stands in for TikTok, and taps where the page's own words can be read.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './program.mjs';
import { serveSite } from './site.mjs';
import { listen, tap } from './tap.mjs';
import { until } from './until.mjs';

export const pixelId = 'CDUETBROWSER00000001';
/** A pixel that TikTok knows and the proxy does not. */
export const otherPixelId = 'CDUETBROWSER00000002';
export const accessToken = 'canary-access-token-5b1e7c';
export const trackPath = '/api/analytics/tiktok/track';
const serverKey = 'canary-server-key-of-the-shop';
const webhookSecret = 'canary-webhook-secret-9d41';

/**
 * The settings with which the shop can be paid at the sandbox's bank and signed in to at its Clerk, behind a web server that is
 * believed about the visitor's address.
 */
export const shopSettings = (site, sandbox) => ({
  DUET_SERVER_KEY: serverKey,
  DUET_TRUSTED_PROXIES: '127.0.0.1',
  SEPAY_WEBHOOK_SECRET: webhookSecret,
  CLERK_ISSUER: sandbox.url,
  CLERK_AUTHORIZED_PARTIES: `http://127.0.0.1:${site.port}`,
});

// Below the ports that the system gives to whoever asks for any: one of those could be somebody else's before it is used.
// Other files' processes begin elsewhere. Browsers speak to no port 10080.
let asked = process.pid * 331;

/** A port that nobody listens on. */
export async function freePort() {
  for (;;) {
    asked += 1;
    const server = await listen(() => {}, 11_000 + (asked % 9_000)).catch(() => undefined);
    if (!server) continue;
    await server.stop();
    return server.port;
  }
}

const answers = (url) => fetch(url).then((answer) => answer.ok, () => false);

async function startSandbox(started, proxyPort) {
  const output = { text: '' };
  const webhook = ['--webhook-url', `http://127.0.0.1:${proxyPort}/api/payment/sepay/webhook`, '--webhook-secret', webhookSecret];
  const pixels = ['--pixel', pixelId, '--pixel', otherPixelId, '--token', accessToken];
  const args = ['--listen', '127.0.0.1:0', ...pixels, ...webhook];
  const program = started(run('duet-sandbox', args, {}, output));
  const [, port] = await until(
    'the sandbox listens',
    () => program.running() && /http:\/\/127\.0\.0\.1:(\d+)/.exec(output.text),
  );
  const api = `http://127.0.0.1:${port}/sandbox`;
  const read = async (path) => (await fetch(`${api}/${path}`)).json();
  return {
    port: Number(port),
    url: `http://127.0.0.1:${port}`,
    conversions: () => read('conversions'),
    conversionsOf: (eventId) => read(`conversions?event_id=${encodeURIComponent(eventId)}`),
    requests: () => read('requests'),
    totals: () => read('totals'),
    violations: async () => (await read('violations')).filter(({ severity }) => severity === 'violation'),
    inject: (fault) => fetch(`${api}/faults`, { method: 'POST', body: JSON.stringify(fault) }),
    /** Has the bank follow an instruction to its end; what it was answered. */
    pay: async (instruction) => {
      const answer = await fetch(`http://127.0.0.1:${port}/bank/transfers`, { method: 'POST', body: JSON.stringify(instruction) });
      const told = await answer.json();
      assert.equal(answer.status, 200, told.error);
      return told;
    },
    heal: () => fetch(`${api}/faults`, { method: 'DELETE' }),
  };
}

function proxyOn(port, env) {
  const output = { text: '' };
  let program;
  return {
    port,
    output,
    async start() {
      program = run('duet-proxy', ['serve'], env, output);
      await until('the proxy listens', () => program.running() && answers(`http://127.0.0.1:${port}/healthz`));
    },
    stop: async () => program?.stop(),
  };
}

/**
 * Starts a stack. `env(site, sandbox)` gives settings of the proxy beside the usual ones. `stop` fails when an event that
 * the proxy accepted never reached the sandbox, or when the sandbox found fault with anything that reached it.
 */
export async function startStack(env = () => ({})) {
  const parts = [];
  try {
    return await assemble(parts, env);
  } catch (error) {
    await stopAll(parts);
    throw error;
  }
}

// The folder goes last: the proxy still writes to it while it stops.
async function stopAll(parts) {
  for (const part of parts.toReversed()) await part.stop();
}

/** Puts whatever it starts into `parts`. */
async function assemble(parts, env) {
  const started = (part) => {
    parts.push(part);
    return part;
  };
  const folder = await mkdtemp(join(tmpdir(), 'duet-browser-'));
  started({ stop: () => rm(folder, { recursive: true }) });
  const port = await freePort();
  const sandbox = await startSandbox(started, port);
  const tiktok = started(await tap(sandbox.port));
  const pixelScriptUrl = `http://127.0.0.1:${tiktok.port}/i18n/pixel/events.js`;
  const site = started(await serveSite({
    proxyPort: port,
    settings: {
      pixel_id: pixelId,
      pixel_script_url: pixelScriptUrl,
      sandbox_url: sandbox.url,
      bank_url: `${sandbox.url}/bank`,
      track_path: trackPath,
    },
    serverKey,
    hosts: { script: `http://127.0.0.1:${tiktok.port}`, connect: 'http://127.0.0.1:* http://*.localhost:*' },
  }));
  const proxy = started(proxyOn(port, {
    TIKTOK_PIXEL_ID: pixelId,
    TIKTOK_ACCESS_TOKEN: accessToken,
    TIKTOK_API_BASE: sandbox.url,
    DUET_LISTEN: `127.0.0.1:${port}`,
    DUET_DATA_DIR: join(folder, 'data'),
    DUET_COUNTRY: 'VN',
    DUET_RATE_LIMIT: 'off',
    DUET_LOG: 'debug',
    ...env(site, sandbox),
  }));
  await proxy.start();

  const stack = {
    folder,
    proxy,
    sandbox,
    site,
    /** The tap before the sandbox's browser end: the Pixel's script and what it reports. */
    tiktok,
    url: `http://127.0.0.1:${site.port}`,
    fixture: `http://127.0.0.1:${site.port}/pages/fixture.html`,
    /** What a page of this stack gives to init(). */
    config: { pixelId, pixelScriptUrl, currency: 'VND', country: 'VN' },
    /** The events pages posted to the proxy under the site's address, oldest first. */
    posted: () => eventsIn(site.log),
    /** Once the proxy has taken an event that pages posted under the site's address: that it did so once. */
    takenOnce: (eventId) => takenOnce(site.log, eventId),
    /** The events pages posted to the Pixel's collector. */
    pixelEvents: () => pixelEventsIn(tiktok.log),
    /**
     * Those of one page's `ids` that the Pixel fired, in the order in which it did. Its script sends each event by itself, so
     * they may overtake each other on the way; it numbers them.
     */
    firedInOrder: (ids) => pixelEventsIn(tiktok.log)
      .filter((event) => ids.includes(event.event_id))
      .sort((one, other) => one.context.index - other.context.index)
      .map((event) => event.event_id),
    /** The two legs of an event, once both have reached the sandbox. */
    bothLegs: (eventId) => until(
      `both legs of ${eventId} arrive`,
      async () => {
        const found = await sandbox.conversionsOf(eventId);
        return found.some(({ signals }) => signals.length >= 2) && found;
      },
      { found: sandbox.conversions },
    ),
    /** The conversions of an event, once its server leg has reached the sandbox. */
    serverLeg: (eventId) => until(
      `the server leg of ${eventId} arrives`,
      async () => {
        const found = await sandbox.conversionsOf(eventId);
        return found.some(({ signals }) => signals.some(({ channel }) => channel === 'server')) && found;
      },
      { found: sandbox.conversions },
    ),
    async stop() {
      try {
        await everythingAcceptedArrives(stack);
        assert.deepEqual(await sandbox.violations(), [], 'the sandbox found fault with what it was sent');
      } finally {
        await stopAll(parts);
      }
    },
  };
  return stack;
}

/** The events in the posts of a tap's log, each with the results of the post it was in. */
export function eventsIn(log) {
  return log
    .filter(({ method, path }) => method === 'POST' && path.startsWith(trackPath))
    .flatMap((post) => (post.json.events ?? [post.json]).map((event) => ({ ...event, post })));
}

/** What the proxy said of an event, in each of its answers that took the post it was in. */
export function saidOf(log, eventId) {
  return eventsIn(log)
    .filter((event) => event.event_id === eventId && event.post.status === 202)
    .flatMap(({ post }) => JSON.parse(post.answer.body).results)
    .filter((result) => result.event_id === eventId)
    .map(({ status }) => status);
}

/** Waits until an answer in the log has taken the event; fails where another one took it, too. */
export async function takenOnce(log, eventId) {
  const taken = () => saidOf(log, eventId).filter((status) => status === 'accepted').length;
  await until(`the proxy takes ${eventId}`, () => taken() > 0);
  assert.equal(taken(), 1, `the proxy took ${eventId} once`);
}

const pixelEventsIn = (log) => log.filter(({ path }) => path === '/api/v2/pixel').map(({ json }) => json);

async function everythingAcceptedArrives({ site, sandbox }) {
  const results = site.log
    .filter(({ status, path }) => status === 202 && path.startsWith(trackPath))
    .flatMap(({ answer }) => JSON.parse(answer.body).results);
  for (const { event_id: eventId, status } of results) {
    if (status !== 'accepted') continue;
    await until(
      `the accepted event ${eventId} is delivered`,
      async () => (await sandbox.conversionsOf(eventId)).some(({ signals }) => signals.some((s) => s.channel === 'server')),
      { found: sandbox.requests },
    );
  }
}
