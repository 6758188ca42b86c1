// Contains the module. So there is no file to fetch, bundlers do not have to find a second file, and the module is ready before
// the first call that needs it returns. The build appends the module as a text to the code, and replaces TEXT by the name of
// this text.

import { connect } from './core.js'

/** Instantiates the module. Throws if the page forbids WebAssembly. */
export const open = (imports) =>
  connect((all) => new WebAssembly.Instance(new WebAssembly.Module(decode(TEXT)), all).exports, imports)

/** Loads the same code, translated to JavaScript. */
export const openLater = (imports) => import('./fallback.js').then(({ instantiate }) => connect(instantiate, imports))

// Decodes the text that `text.rs` in `cargo xtask sdk` encodes. The text uses 93 characters. Each of the first two characters
// is a prefix: the prefix and the character after it together encode one byte. This function runs only once, in the interpreter
// of the JavaScript engine, so it is written to be fast there.
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
