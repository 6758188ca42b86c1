// Where the module comes from: this file. Nothing to fetch, nothing for a bundler to find, and it is up
// before the call that needs it returns. The build puts its text behind the code, and in TEXT's place what it is called.

import { connect } from './core.js'

/** Brings the module up and gives back its one function; throws where a page forbids WebAssembly. */
export const open = () =>
  connect((imports) => new WebAssembly.Instance(new WebAssembly.Module(decode(TEXT)), imports).exports)

/** The same code translated to JavaScript. */
export const openLater = () => import('./fallback.js').then(({ instantiate }) => connect(instantiate))

// The way back from `text.rs` in `cargo xtask sdk`: 93 characters, of which the first two announce a
// second one.
const decode = (text) => {
  const bytes = []
  let high = -2
  for (const character of text) {
    const at = character.charCodeAt()
    const code = at - 32 - (at > 34) - (at > 92)
    if (high < 0 && code < 2) {
      high = 91 + code * 93
    } else {
      bytes.push(high + code)
      high = -2
    }
  }
  return new Uint8Array(bytes)
}
