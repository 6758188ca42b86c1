// The downloads under test: those of `cargo xtask release`, or of the folder in DUET_DOWNLOADS.

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

export const folder = process.env.DUET_DOWNLOADS ?? resolve(import.meta.dirname, '../../target/downloads');

/** The path of the one download whose name matches. */
export function download(pattern) {
  const found = readdirSync(folder).filter((name) => pattern.test(name));
  if (found.length !== 1) throw new Error(`${folder} must have one file ${pattern}, got ${found.join(', ') || 'none'}`);
  return resolve(folder, found[0]);
}

/** Runs a program; returns its output, or throws with all of its output. */
export async function run(program, words, options = {}) {
  const { stdout } = await promisify(execFile)(program, words, { maxBuffer: 1 << 26, ...options });
  return stdout;
}
