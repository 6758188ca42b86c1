// Everything between a page and TikTok, on free ports of loopback: the site, the proxy, the sandbox as a fake TikTok, and
// taps that record the page's requests.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './program.mjs';
import { serveSite } from './site.mjs';
import { listen, tap } from './tap.mjs';
import { until } from './until.mjs';

export const pixelId = 'CDUETBROWSER00000001';
/** A pixel that TikTok knows and the proxy does not know. */
export const otherPixelId = 'CDUETBROWSER00000002';
export const accessToken = 'canary-access-token-5b1e7c';
export const trackPath = '/api/analytics/tiktok/track';
const serverKey = 'canary-server-key-of-the-shop';
const webhookSecret = 'canary-webhook-secret-9d41';

/**
 * Settings with which customers can pay at the sandbox's bank and sign in at its Clerk. With these settings, the proxy
 * trusts the visitor's address that the web server states.
 */
export const shopSettings = (site, sandbox) => ({
  DUET_SERVER_KEY: serverKey,
  DUET_TRUSTED_PROXIES: '127.0.0.1',
  SEPAY_WEBHOOK_SECRET: webhookSecret,
  CLERK_ISSUER: sandbox.url,
  CLERK_AUTHORIZED_PARTIES: `http://127.0.0.1:${site.port}`,
});

// These ports are below the range from which the system assigns ports automatically. Another program could get a port of
// that range before the test uses it. Each process of the tests starts at another port. Browsers do not connect to port
// 10080.
let asked = process.pid * 331;

/** Returns a free port. */
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
    /** Sends an instruction to the bank and waits until the bank has carried it out. Returns the bank's answer. */
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
 * Starts a stack. `env(site, sandbox)` returns additional settings of the proxy. `stop` fails if an event that the proxy
 * accepted never reached the sandbox, or if the sandbox found a violation.
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

// Remove the folder last, because the proxy writes to it while the proxy stops.
async function stopAll(parts) {
  for (const part of parts.toReversed()) await part.stop();
}

/** Starts all parts and adds each started part to `parts`. */
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
    /**
     * The tap in front of the sandbox's routes for browsers. It records the requests for the Pixel's script and the
     * requests of this script.
     */
    tiktok,
    url: `http://127.0.0.1:${site.port}`,
    fixture: `http://127.0.0.1:${site.port}/pages/fixture.html`,
    /** The settings for init() on a page of this stack. */
    config: { pixelId, pixelScriptUrl, currency: 'VND', country: 'VN' },
    /** Returns the events that pages posted to the proxy under the site's address, oldest first. */
    posted: () => eventsIn(site.log),
    /**
     * Waits until the proxy has accepted an event from the site's address. Checks that the proxy accepted the event only
     * once.
     */
    takenOnce: (eventId) => takenOnce(site.log, eventId),
    /** Returns the events that pages posted to the Pixel's collector. */
    pixelEvents: () => pixelEventsIn(tiktok.log),
    /**
     * Returns those of the `ids` that the Pixel of one page fired, in the order of firing. The script sends each event in
     * its own request, so events can overtake each other, but the script numbers the events.
     */
    firedInOrder: (ids) => pixelEventsIn(tiktok.log)
      .filter((event) => ids.includes(event.event_id))
      .sort((one, other) => one.context.index - other.context.index)
      .map((event) => event.event_id),
    /** Waits until both legs of an event have reached the sandbox, and returns them. */
    bothLegs: (eventId) => until(
      `both legs of ${eventId} arrive`,
      async () => {
        const found = await sandbox.conversionsOf(eventId);
        return found.some(({ signals }) => signals.length >= 2) && found;
      },
      { found: sandbox.conversions },
    ),
    /** Waits until the server leg of an event has reached the sandbox, and returns the event's conversions. */
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
        assert.deepEqual(await sandbox.violations(), [], 'the sandbox must find no violation in the requests that it got');
      } finally {
        await stopAll(parts);
      }
    },
  };
  return stack;
}

/** Returns the events in the posts of a tap's log, each with the results of its post. */
export function eventsIn(log) {
  return log
    .filter(({ method, path }) => method === 'POST' && path.startsWith(trackPath))
    .flatMap((post) => (post.json.events ?? [post.json]).map((event) => ({ ...event, post })));
}

/** Returns the proxy's result for an event from each answer that accepted the event's post. */
export function saidOf(log, eventId) {
  return eventsIn(log)
    .filter((event) => event.event_id === eventId && event.post.status === 202)
    .flatMap(({ post }) => JSON.parse(post.answer.body).results)
    .filter((result) => result.event_id === eventId)
    .map(({ status }) => status);
}

/** Waits until an answer in the log has accepted the event. Fails if more than one answer accepted the event. */
export async function takenOnce(log, eventId) {
  const taken = () => saidOf(log, eventId).filter((status) => status === 'accepted').length;
  await until(`the proxy accepts ${eventId}`, () => taken() > 0);
  assert.equal(taken(), 1, `the proxy must accept ${eventId} once`);
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
