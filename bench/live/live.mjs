// `cargo xtask bench live [SECONDS [EVENTS-PER-SECOND]]`: opens the console in Chromium and posts events at a steady rate.
// Prints whether the console counted every accepted event, and how much time and memory the page used. TikTok is
// unreachable, so every event stays on disk.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { launch } from '../../tests/browser/browser.mjs';
import { freePort } from '../../tests/browser/stack.mjs';

const [seconds = 60, rate = 10_000] = process.argv.slice(2).map(Number);
const each = 100;
const token = 'the-token-of-the-benchmark';
const [events, console_, nobody] = [await freePort(), await freePort(), await freePort()];
const folder = await mkdtemp(join(tmpdir(), 'duet-live-'));
const proxy = spawn(join(process.env.DUET_BIN, 'duet-proxy'), ['serve'], {
  stdio: 'inherit',
  env: {
    DUET_DATA_DIR: folder,
    DUET_LISTEN: `127.0.0.1:${events}`,
    DUET_CONSOLE_LISTEN: `127.0.0.1:${console_}`,
    DUET_CONSOLE_TOKEN: token,
    DUET_RATE_LIMIT: 'off',
    DUET_LOG: 'error',
    TIKTOK_PIXEL_ID: 'CDUETBENCH0000000001',
    TIKTOK_ACCESS_TOKEN: 'token',
    TIKTOK_API_BASE: `http://127.0.0.1:${nobody}`,
  },
});
const address = `http://127.0.0.1:${console_}`;
const agent = new Agent({ keepAlive: true, maxSockets: 32 });
let [accepted, next] = [0, 0];

/** Posts a hundred events. If the proxy accepts them, adds them to the number of accepted events. */
function post() {
  const batch = Array.from({ length: each }, () => ({ event: 'ViewContent', event_id: `live-${next++}`, user: { external_id: 'u' } }));
  return new Promise((done, fail) => {
    const sent = request({ agent, port: events, method: 'POST', path: '/api/analytics/tiktok/track' }, (answer) => {
      answer.resume().on('end', () => {
        if (answer.statusCode === 202) accepted += each;
        done(answer.statusCode);
      });
    });
    sent.on('error', fail);
    sent.end(JSON.stringify({ events: batch }));
  });
}

const answered = async () => (await (await fetch(`${address}/console/api/live`, { headers: { authorization: `Bearer ${token}` } })).json()).answered;

try {
  while (!(await fetch(address).catch(() => undefined))) await pause(50);
  const browser = await launch('chromium');
  const page = await browser.newPage();
  await page.goto(`${address}/?lang=en`);
  await page.type('#token', token);
  await Promise.all([page.waitForNavigation(), page.click('form button')]);
  await page.evaluate(() => {
    window.longest = 0;
    window.frames = 0;
    let last = performance.now();
    const frame = (now) => {
      window.longest = Math.max(window.longest, now - last);
      window.frames += 1;
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    // Long tasks last 50 ms or more.
    window.long = [];
    new PerformanceObserver((list) => window.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
  });
  const began = performance.now();
  const [open, memory] = [new Set(), []];
  let busy = 0;
  for (let turn = 0; performance.now() - began < seconds * 1000; turn += 1) {
    const due = ((performance.now() - began) / 1000) * rate;
    while (next < due && open.size < 64) {
      const posting = post().then((status) => { busy += status === 202 ? 0 : 1; }).finally(() => open.delete(posting));
      open.add(posting);
    }
    if (turn % 1000 === 0) memory.push((await page.metrics()).JSHeapUsedSize / 1e6);
    await pause(5);
  }
  await Promise.all(open);
  const took = (performance.now() - began) / 1000;
  // The console counts an event only after its thread has read the note about the event. The thread reads all new notes 20
  // times a second, so wait until it has read the last one.
  let shown = await answered();
  for (let tries = 0; shown !== accepted && tries < 50; tries += 1) {
    await pause(100);
    shown = await answered();
  }
  const { longest, frames, long } = await page.evaluate(() => ({ longest: window.longest, frames: window.frames, long: window.long }));
  const figures = await page.metrics();
  console.log(`live: ${accepted} events in ${took.toFixed(0)} s (${(accepted / took).toFixed(0)} a second), ${busy} requests were rejected`);
  console.log(`  the console counted ${shown} of these events (${shown === accepted ? 'all' : 'NOT ALL'})`);
  console.log(`  longest task of the page ${Math.max(0, ...long).toFixed(0)} ms, ${long.length} of 50 ms or more; longest frame ${longest.toFixed(0)} ms of ${frames}`);
  console.log(`  memory of the page's scripts: ${Math.max(...memory).toFixed(1)} MB at most, ${(figures.JSHeapUsedSize / 1e6).toFixed(1)} MB at the end; ${figures.Nodes} nodes`);
  await browser.close();
} finally {
  proxy.kill();
  await rm(folder, { recursive: true, force: true });
}
