// Finds programs that are installed on this machine, or says how to get them.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * The path of a program: the value of its `variable`, or the first of its `names` in a folder of PATH, or the first of its usual
 * `paths` that exists. Without any, fails with the command that installs its Debian package.
 */
export function executable({ what, variable, names, paths = [], debian }) {
  if (process.env[variable]) return process.env[variable];
  const folders = (process.env.PATH ?? '').split(delimiter);
  const candidates = [...names.flatMap((file) => folders.map((folder) => join(folder, file))), ...paths];
  const found = candidates.find((path) => existsSync(path));
  if (!found) throw new Error(`No ${what} found. Install it (Debian: apt-get install ${debian}) or set ${variable} to its path.`);
  return found;
}
