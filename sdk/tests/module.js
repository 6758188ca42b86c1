// The Rust module as `cargo xtask sdk` built it, under the page's side as it stands in `page/`, on what
// those tests need of a page.

import { built } from './names.js'
import { attach, connect } from '../page/core.js'
import { imports } from '../page/effects.js'

const stored = new Map()
/** What is stored, by its keys. */
export const storage = stored

Object.defineProperty(globalThis, 'localStorage', {
  value: {
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => stored.set(key, value + ''),
    removeItem: (key) => stored.delete(key),
  },
})
globalThis.location = { href: 'https://shop.example/', protocol: 'https:' }
globalThis.document = { cookie: '', addEventListener() {}, referrer: '' }

/** Brings it up. */
export const bringUp = () => {
  const module = new WebAssembly.Module(built('duet_bg.wasm'))
  attach(connect((all) => new WebAssembly.Instance(module, all).exports, imports()))
}
