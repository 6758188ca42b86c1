// If a page contains two copies of this package (two bundles, two versions), the second copy uses the state of the first copy,
// so that no event is sent twice.

import { browser } from './browser.js'

const KEY = Symbol.for('duet-sdk')

export const duet = (globalThis[KEY] ??= browser)

if (duet != browser) console.info('[duet] loaded twice')
