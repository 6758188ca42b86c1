// The source of the module: this file. There is nothing to fetch, and bundlers do not have to find a second file. The module is
// ready before the call that needs it returns. The build appends the module's text to the code, and replaces TEXT by its name.

import { connect } from './core.js'

/** Starts the module and returns its one function. Throws if a page forbids WebAssembly. */
export const open = (imports) =>
  connect((all) => new WebAssembly.Instance(new WebAssembly.Module(decode(TEXT)), all).exports, imports)

/** The same code translated to JavaScript. */
export const openLater = (imports) => import('./fallback.js').then(({ instantiate }) => connect(instantiate, imports))

// Decodes the text that `text.rs` in `cargo xtask sdk` encodes. There are 93 characters, and each of the first two announces
// a second character. The function runs once, before the engine has compiled it. So the function is written for an
// interpreter.
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
