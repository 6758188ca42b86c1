// The Rust module, inside this file: nothing to fetch, nothing for a bundler to find, and it is up
// before the call that needs it returns.

import bytes from './duet_bg.wasm'
import { call, initSync } from './duet.js'

export const open = () => {
  initSync({ module: Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0)) })
  return call
}
