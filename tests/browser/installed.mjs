// Finds programs that are installed on this machine, or prints how to install them.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Returns the path of a program. The path comes from the environment variable `variable`, from PATH by one of `names`, or
 * from the first existing path of `paths`, in this order. If no path is found, fails and names the command that installs
 * the Debian package.
 */
export function executable({ what, variable, names, paths = [], debian }) {
  if (process.env[variable]) return process.env[variable];
  const folders = (process.env.PATH ?? '').split(delimiter);
  const candidates = [...names.flatMap((file) => folders.map((folder) => join(folder, file))), ...paths];
  const found = candidates.find((path) => existsSync(path));
  if (!found) throw new Error(`No ${what} found. Install it (Debian: apt-get install ${debian}) or set ${variable} to its path.`);
  return found;
}
