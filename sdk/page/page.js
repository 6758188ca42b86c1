// Where there is a page: two copies of this package on it (two bundles, two versions) share the first
// one's state, or everything would be sent twice. Workers and worklets have no page, and get the calls that do nothing.

import { browser } from './browser.js'
import { duet as nothing } from './server.js'

const KEY = Symbol.for('duet-sdk')

const hasPage = typeof document != 'undefined'

export const duet = hasPage ? (globalThis[KEY] ??= browser) : nothing

if (hasPage && duet != browser) console.info('[duet] loaded twice; the first copy is used')
