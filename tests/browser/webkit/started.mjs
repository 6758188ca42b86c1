// Starts the programs that a test file needs. When the test file ends, ends these programs and their children.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Functions that clean up if a test file is interrupted. */
export const leftovers = new Set();
process.on('exit', () => leftovers.forEach((remove) => remove()));
for (const [signal, number] of [['SIGINT', 2], ['SIGTERM', 15]]) process.once(signal, () => process.exit(128 + number));

/** Starts a program in a separate process group. The group's processes are ended when the program ends. */
export function start(path, args, env, stdio = 'ignore') {
  const child = spawn(path, args, { env, detached: true, stdio });
  const end = () => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // `kill` failed, because the program has already ended by itself.
    }
  };
  leftovers.add(end);
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    child,
    /** Fails as soon as the program has ended by itself. */
    running() {
      if (hasEnded()) throw new Error(`${path} ended with ${child.exitCode ?? child.signalCode}`);
    },
    async stop() {
      const ended = hasEnded() || once(child, 'exit');
      end();
      await ended;
      leftovers.delete(end);
    },
  };
}

/** Returns the paths of the files in a folder, or no path if the folder does not exist. */
export const inFolder = (folder) => {
  try {
    return readdirSync(folder).map((name) => join(folder, name));
  } catch {
    return [];
  }
};

/** Returns the processes of a group that run pages. */
export function pageProcesses(group) {
  return inFolder('/proc').filter((folder) => /\d$/.test(folder)).flatMap((folder) => {
    try {
      const [, pid, name, rest] = /^(\d+) \((.*)\) (.*)/.exec(readFileSync(join(folder, 'stat'), 'utf8'));
      const [, , itsGroup] = rest.split(' ').map(Number);
      return itsGroup === group && name.startsWith('WebKitWebProc') ? [Number(pid)] : [];
    } catch {
      // The file cannot be read, because the process has ended in the meantime.
      return [];
    }
  });
}

