// The Rust module, over what instantiates it.
//
// This takes the place of the JavaScript that wasm-bindgen writes, which has to be ready for anything;
// here only texts and one number cross. `cargo xtask sdk` fails where wasm-bindgen would cross them
// differently, and puts in what the module's imports and exports are called: all names in capitals.

import { cookie, lowercase, read } from './host.js'

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
