// Two copies of this package on a page (two bundles, two versions) share the state of the first copy. Otherwise every event
// would be sent twice.

import { browser } from './browser.js'

const KEY = Symbol.for('duet-sdk')

export const duet = (globalThis[KEY] ??= browser)

if (duet != browser) console.info('[duet] loaded twice')
