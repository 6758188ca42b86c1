// The Rust module, inside this file: nothing to fetch, nothing for a bundler to find, and it is up
// before the call that needs it returns.
//
// This takes the place of the JavaScript that wasm-bindgen writes, which has to be ready for anything;
// here only texts and one number cross. `cargo xtask sdk` fails where wasm-bindgen would cross them
// differently, and puts in what the module's imports and exports are called: all names in capitals.

import text from './duet_bg.txt'
import { cookie, lowercase, read } from './host.js'

/** Brings the module up and gives back its one function; throws where a page forbids WebAssembly. */
export const open = () =>
  connect((imports) => new WebAssembly.Instance(new WebAssembly.Module(decode(text)), imports).exports)

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

/** `(kind, input) => effects`, over what `instantiate` makes of the module's imports. */
export const connect = (instantiate) => {
  let effects
  const memory = (at, length) => new Uint8Array(wasm[MEMORY].buffer, at, length)
  const take = (at, length) => new TextDecoder().decode(memory(at, length))
  const give = (text) => {
    const encoded = new TextEncoder().encode(text)
    const { length } = encoded
    const at = wasm[ALLOCATE](length, 1)
    memory(at, length).set(encoded)
    return [at, length]
  }
  // Rust says where it wants to find the text and its length.
  const answering = (ask) => (to, at, length) => {
    const given = give(ask(take(at, length)))
    new Uint32Array(wasm[MEMORY].buffer, to, 2).set(given)
  }
  const wasm = instantiate({
    [MODULE]: {
      [READ]: answering(read),
      [COOKIE]: answering(cookie),
      [LOWERCASE]: answering(lowercase),
      [HAND_OVER]: (at, length) => {
        effects = take(at, length)
      },
    },
  })
  return (kind, input) => {
    wasm[CALL](kind, ...give(input))
    return effects
  }
}
