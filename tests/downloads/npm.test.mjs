// The npm packages as a front-end developer uses them: installed from a registry on a machine that has only Node, and then
// used offline.

import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { folder, run } from './downloads.mjs';
import { dev, manifestOf, newcomer, reportsAnEvent } from './newcomer.mjs';

const platform = `${process.platform}-${process.arch}`;
let scratch;
let project;
let environment;
let offline;
let leave;

before(async () => {
  ({ scratch, environment, offline, leave } = await newcomer());
  project = join(scratch, 'shop');
  await mkdir(join(project, 'dist'), { recursive: true });
  await writeFile(join(project, 'dist/index.html'), '<!doctype html><title>A shop</title>');
  await writeFile(join(project, 'package.json'), '{ "private": true }');
});

after(() => leave?.());

const inProject = () => ({ cwd: project, env: environment });

async function servesTheSite(running) {
  assert.match(await (await fetch(`${running.shop}/`)).text(), /A shop/);
  await reportsAnEvent(running);
}

test('a project installs one binary, the one of its platform', async () => {
  await run('npm', ['install', '--no-fund', 'duet-proxy', 'duet-sdk'], inProject());
  const installed = (await readdir(join(project, 'node_modules'))).filter((name) => name.startsWith('duet-'));
  assert.deepEqual(installed.sort(), ['duet-proxy', `duet-proxy-${platform}`, 'duet-sdk']);
});

test('npx duet-proxy dev serves the site, offline, and stops at Ctrl-C', async () => {
  const running = await dev([], { cwd: project, env: offline });
  await servesTheSite(running);
  await running.stop();
});

test('npx also works in a folder without a project', async () => {
  const empty = join(scratch, 'empty');
  await mkdir(join(empty, 'dist'), { recursive: true });
  await writeFile(join(empty, 'dist/index.html'), '<!doctype html><title>A shop</title>');
  const running = await dev(['--yes'], { cwd: empty, env: environment });
  await servesTheSite(running);
  await running.stop();
});

test('the exit code and the answer are those of the binary', async () => {
  const version = await run('npx', ['duet-proxy', '--version'], inProject());
  assert.match(version, /^duet-proxy \d+\.\d+\.\d+ \(commit: .*; features: dev\)\n$/);
  await assert.rejects(run('npx', ['duet-proxy', 'serve'], inProject()), ({ code, stderr }) => {
    assert.match(stderr, /TIKTOK_PIXEL_ID/);
    return code === 1;
  });
});

/** Runs the launcher in Node, and makes Node report another platform. */
async function onPlatform(name, architecture) {
  const launcher = join(project, 'node_modules/duet-proxy/duet-proxy.cjs');
  const pretend = join(scratch, `${name}.cjs`);
  const set = (what, value) => `Object.defineProperty(process, '${what}', { value: '${value}' });`;
  await writeFile(pretend, set('platform', name) + set('arch', architecture));
  return run('node', ['--require', pretend, launcher, '--version'], inProject());
}

test('a platform without a binary gets one clear sentence', async () => {
  await assert.rejects(onPlatform('win32', 'x64'), ({ code, stderr }) => {
    assert.match(stderr, /^duet-proxy: there is no binary for win32-x64, only for .*linux-x64.*\. On Windows, run it in WSL\. .* says how to build one\n$/);
    return code === 1;
  });
});

test('a platform whose package was left out gets one too', async () => {
  const without = join(scratch, 'without');
  await mkdir(without);
  await writeFile(join(without, 'package.json'), '{ "private": true }');
  const options = { cwd: without, env: environment };
  await run('npm', ['install', '--omit=optional', '--no-fund', 'duet-proxy'], options);
  await assert.rejects(run('npx', ['duet-proxy', '--version'], options), ({ code, stderr }) => {
    assert.match(stderr, new RegExp(`^duet-proxy: the package duet-proxy-${platform} with the binary is not installed`));
    return code === 1;
  });
});

test('every package states its repository, its licence and its version', async () => {
  const archives = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  assert.ok(archives.length >= 3, archives.join());
  for (const archive of archives) {
    const manifest = await manifestOf(join(folder, archive));
    assert.match(manifest.repository.url, /^git\+https:\/\/.+\.git$/, archive);
    assert.match(manifest.homepage, /^https:\/\/.+#readme$/, archive);
    assert.match(manifest.bugs.url ?? manifest.bugs, /^https:\/\/.+\/issues$/, archive);
    assert.equal(manifest.license, 'MIT OR Apache-2.0', archive);
    assert.ok(archive.endsWith(`-${manifest.version}.tgz`), archive);
    const files = await run('tar', ['-tzf', join(folder, archive)]);
    for (const file of ['LICENSE-MIT', 'LICENSE-APACHE', 'README.md']) assert.ok(files.includes(`package/${file}\n`), `${archive} ${file}`);
  }
});
