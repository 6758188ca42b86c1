// Where the module comes from: this file. Nothing to fetch, nothing for a bundler to find, and it is up
// before the call that needs it returns. The build puts its text behind the code, and in TEXT's place what it is called.

import { connect } from './core.js'

/** Brings the module up and gives back its one function; throws where a page forbids WebAssembly. */
export const open = () =>
  connect((imports) => new WebAssembly.Instance(new WebAssembly.Module(decode(TEXT)), imports).exports)

/** The same code translated to JavaScript. */
export const openLater = () => import('./fallback.js').then(({ instantiate }) => connect(instantiate))

// The way back from `text.rs` in `cargo xtask sdk`: 93 characters, of which the first two announce a
// second one. It runs once and cold, so it is written for an interpreter.
const decode = (text) => {
  const bytes = new TextEncoder().encode(text)
  let size = 0
  let announced = 0
  for (const code of bytes) {
    const byte = announced + code - (code > 92 ? 36 : code > 34 ? 35 : 34)
    if (byte < 0) {
      announced = 279 + byte * 93
    } else {
      bytes[size++] = byte
      announced = 0
    }
  }
  return bytes.subarray(0, size)
}
