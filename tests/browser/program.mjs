// Runs one of Duet's programs: starts it, collects its output, and ends it by its own process id.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const folder = resolve(process.env.DUET_BIN ?? join(import.meta.dirname, '../../target/debug'));

function pathOf(name) {
  const path = join(folder, process.platform === 'win32' ? `${name}.exe` : name);
  if (!existsSync(path)) throw new Error(`${path} does not exist; build it with cargo build -p duet-proxy -p duet-sandbox`);
  return path;
}

/** Starts a program. Its output is collected in `output`, which can still be read after the program has ended. */
export function run(name, args, env, output) {
  const child = spawn(pathOf(name), args, {
    env: { PATH: process.env.PATH, SystemRoot: process.env.SystemRoot, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const write = (text) => {
    output.text += text;
  };
  child.stdout.setEncoding('utf8').on('data', write);
  child.stderr.setEncoding('utf8').on('data', write);
  return {
    /** Fails as soon as the program has ended by itself. */
    running() {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${output.text}`);
      return true;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}
