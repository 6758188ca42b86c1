// What a bundler or a page imports. Importing touches nothing.

import { use } from './api.js'
import { browser } from './browser.js'
import { nowhere } from './nowhere.js'

const KEY = Symbol.for('duet-sdk')
let told = false

// Two copies of this package on one page (two bundles, two versions) share the first one's state, or
// everything would be sent twice.
const shared = () => {
  const first = (window[KEY] ??= browser)
  if (first !== browser && !told) {
    told = true
    console.info('[duet] duet-sdk is on this page twice; the copy that came first is used')
  }
  return first
}

use(() => (typeof window === 'undefined' || typeof document === 'undefined' ? nowhere : shared()))

export * from './calls.js'
