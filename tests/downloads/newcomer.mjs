// Simulates a machine that has only Node, and a registry on loopback that has only the downloads.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folder, run } from './downloads.mjs';

/** Reads `package.json` from a packed package. */
export const manifestOf = async (archive) => JSON.parse(await run('tar', ['-xzOf', archive, 'package/package.json']));

/** Starts a registry on loopback that has only the packed packages. */
async function serve() {
  const packages = new Map();
  for (const name of (await readdir(folder)).filter((name) => name.endsWith('.tgz'))) {
    const [bytes, manifest] = [await readFile(join(folder, name)), await manifestOf(join(folder, name))];
    packages.set(manifest.name, { name, bytes, manifest });
  }
  const server = createServer(({ url }, answer) => {
    const [, name, file] = url.split('?')[0].split('/');
    const found = packages.get(name);
    if (!found) return answer.writeHead(404).end('{}');
    if (file) return answer.end(found.bytes);
    const { manifest, bytes } = found;
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    const tarball = `http://127.0.0.1:${server.address().port}/${name}/${found.name}`;
    const versions = { [manifest.version]: { ...manifest, dist: { tarball, integrity } } };
    return answer.end(JSON.stringify({ name, versions, 'dist-tags': { latest: manifest.version } }));
  });
  await new Promise((listens) => server.listen(0, '127.0.0.1', listens));
  return server;
}

/** Makes a folder with the programs node, npm, npx and sh, and without any compiler. */
async function onlyNode(path) {
  await mkdir(path);
  for (const program of ['node', 'npm', 'npx']) {
    const found = (await run('which', [program])).trim();
    await symlink(found, join(path, program));
  }
  await symlink((await run('which', ['sh'])).trim(), join(path, 'sh'));
  return path;
}

/** Returns a newcomer's folder and environment variables, and a function that stops the registry and removes the folder. */
export async function newcomer() {
  const scratch = await mkdtemp(join(tmpdir(), 'duet-npm-'));
  const registry = await serve();
  const environment = {
    PATH: await onlyNode(join(scratch, 'bin')),
    HOME: scratch,
    npm_config_registry: `http://127.0.0.1:${registry.address().port}/`,
    npm_config_cache: join(scratch, 'cache'),
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false',
  };
  const offline = { ...environment, npm_config_offline: 'true', npm_config_registry: 'http://127.0.0.1:9/' };
  const leave = async () => {
    for (const group of groups) process.kill(-group, 'SIGKILL');
    registry.closeAllConnections();
    registry.close();
    await rm(scratch, { recursive: true, force: true });
  };
  return { scratch, environment, offline, leave };
}

/** The process groups that are killed at the end if a test fails before it stops them. */
const groups = new Set();

/** Starts `npx duet-proxy dev` in a process group. Returns its addresses, and a function that stops it as Ctrl-C does. */
export async function dev(words, options) {
  const command = [...words, 'duet-proxy', 'dev', '--listen', '127.0.0.1:0', '--sandbox-listen', '127.0.0.1:0', '--www', 'dist'];
  const process_ = spawn('npx', command, { ...options, detached: true });
  groups.add(process_.pid);
  let text = '';
  // Wait for `close` and not for `exit`: the binary shares the pipes with npx, so `close` comes only after the binary has
  // ended too.
  const ended = new Promise((ends) => process_.on('close', (code, signal) => ends(code ?? signal)));
  for (const stream of [process_.stdout, process_.stderr]) stream.on('data', (bytes) => { text += bytes; });
  const address = await new Promise((found, fails) => {
    const look = () => {
      const match = /sandbox +(\S+)/.exec(text) && /shop +(\S+)\/\n/.exec(text);
      if (match) found({ shop: match[1], sandbox: /sandbox +(\S+)\//.exec(text)[1] });
    };
    process_.stdout.on('data', look);
    ended.then((how) => fails(new Error(`dev ended with ${how}:\n${text}`)));
  });
  const stop = async () => {
    process.kill(-process_.pid, 'SIGINT');
    const how = await ended;
    groups.delete(process_.pid);
    // The signal can also end npm itself before npm returns the binary's exit code.
    assert.ok([0, 130, 'SIGINT'].includes(how), `dev must end with 0, 130 or SIGINT, got ${how}:\n${text}`);
  };
  return { ...address, stop };
}

/** Reports an event through the shop, and waits until the sandbox has counted it. */
export async function reportsAnEvent({ shop, sandbox }) {
  const event = { event: 'Lead', event_id: 'npm', user: { external_id: 'u' } };
  const answer = await fetch(`${shop}/api/analytics/tiktok/track`, { method: 'POST', body: JSON.stringify(event) });
  assert.equal(answer.status, 202);
  for (let turn = 0; turn < 600; turn += 1) {
    const conversions = await (await fetch(`${sandbox}/sandbox/conversions`)).json();
    if (conversions.length === 1) return;
    await new Promise((passes) => setTimeout(passes, 100));
  }
  assert.fail('the event must reach the sandbox');
}
