// `node walk.mjs`: measures how long a newcomer with Node needs from an empty folder to a shop that reports an event.

import { cp, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { run } from './downloads.mjs';
import { dev, newcomer, reportsAnEvent } from './newcomer.mjs';

const { scratch, environment, offline, leave } = await newcomer();
const began = performance.now();
const say = (what) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${what}`);

try {
  const project = join(scratch, 'shop');
  await mkdir(project);
  await run('npm', ['install', '--no-fund', 'duet-proxy', 'duet-sdk'], { cwd: project, env: environment });
  say('npm install duet-proxy duet-sdk');
  await cp(resolve(import.meta.dirname, '../../www-demo'), join(project, 'dist'), { recursive: true });
  await cp(join(project, 'node_modules/duet-sdk'), join(project, 'dist/duet-sdk'), { recursive: true });
  const running = await dev([], { cwd: project, env: offline });
  say('npx duet-proxy dev --www dist, offline: the addresses are printed');
  for (const path of ['/', '/shop.js', '/duet-sdk/index.js']) {
    const { status } = await fetch(running.shop + path);
    if (status !== 200) throw new Error(`${path} must be served, got ${status}`);
  }
  say('the first page, the page’s script and the SDK are served');
  await reportsAnEvent(running);
  say('an event is accepted, delivered and counted by the sandbox');
  await running.stop();
  say('Ctrl-C has stopped duet-proxy');
} finally {
  await leave();
}
