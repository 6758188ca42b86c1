// Finds the downloads under test: the downloads that `cargo xtask release` built, or those in the folder DUET_DOWNLOADS.

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

export const folder = process.env.DUET_DOWNLOADS ?? resolve(import.meta.dirname, '../../target/downloads');

/** Returns the path of the only download whose name matches `pattern`. */
export function download(pattern) {
  const found = readdirSync(folder).filter((name) => pattern.test(name));
  if (found.length !== 1) throw new Error(`${folder} must have one file ${pattern}, got ${found.join(', ') || 'none'}`);
  return resolve(folder, found[0]);
}

/** Runs a program and returns its output. If the program fails, throws an error with all of its output. */
export async function run(program, words, options = {}) {
  const { stdout } = await promisify(execFile)(program, words, { maxBuffer: 1 << 26, ...options });
  return stdout;
}
