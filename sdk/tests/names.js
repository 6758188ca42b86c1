// What `cargo xtask sdk` puts into `page/` in the place of names in capitals; to be imported before anything of `page/`.

import { readFileSync } from 'node:fs'

export const built = (file) => readFileSync(new URL('../../target/npm/build/' + file, import.meta.url))

Object.assign(globalThis, JSON.parse(built('names.json')))
