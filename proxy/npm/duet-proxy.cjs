#!/usr/bin/env node
// Runs the binary in the package of this platform, and ends as the binary ends.
'use strict';

const { spawn } = require('node:child_process');
const { optionalDependencies, homepage } = require('./package.json');

const platform = `${process.platform}-${process.arch}`;
const packageName = `duet-proxy-${platform}`;

function fail(message) {
  console.error(`duet-proxy: ${message}`);
  process.exit(1);
}

function binary() {
  if (!(packageName in optionalDependencies)) {
    const known = Object.keys(optionalDependencies).map((name) => name.replace('duet-proxy-', ''));
    const windows = process.platform === 'win32' ? ' On Windows, run it in WSL.' : '';
    fail(`there is no binary for ${platform}, only for ${known.join(', ')}.${windows} ${homepage} says how to build one`);
  }
  try {
    return require.resolve(`${packageName}/duet-proxy`);
  } catch {
    fail(`the package ${packageName} with the binary is not installed. npm leaves it out with --omit=optional or --no-optional, `
      + 'and if node_modules was copied from another platform. Install duet-proxy again on this machine');
  }
}

const child = spawn(binary(), process.argv.slice(2), { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', ({ message }) => fail(`the binary cannot be run: ${message}`));
child.on('exit', (code, signal) => {
  if (!signal) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
