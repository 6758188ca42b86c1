// The Rust module, inside this file: nothing to fetch, nothing for a bundler to find, and it is up
// before the call that needs it returns.
//
// This takes the place of the JavaScript that wasm-bindgen writes, which has to be ready for anything;
// here only texts cross. `cargo xtask sdk` fails where wasm-bindgen would cross them differently.

import bytes from './duet_bg.hex'
import { cookie, lowercase, read } from './host.js'

/** Brings the module up and gives back its one function; throws where a page forbids WebAssembly. */
export const open = () =>
  connect((imports) => {
    const module = new WebAssembly.Module(Uint8Array.from(bytes.match(/../g), (byte) => parseInt(byte, 16)))
    return new WebAssembly.Instance(module, imports).exports
  })

/** `(name, input) => effects`, over what `instantiate` makes of the module's imports. */
export const connect = (instantiate) => {
  let effects
  const memory = (at, length) => new Uint8Array(wasm.memory.buffer, at, length)
  const take = (at, length) => new TextDecoder().decode(memory(at, length))
  const give = (text) => {
    const encoded = new TextEncoder().encode(text)
    const at = wasm.__wbindgen_export(encoded.length, 1)
    memory(at, encoded.length).set(encoded)
    return [at, encoded.length]
  }
  // Rust says where it wants to find the text and its length.
  const answer = (to, text) => {
    const given = give(text)
    new Uint32Array(wasm.memory.buffer, to, 2).set(given)
  }
  const functions = {
    read: (to, at, length) => answer(to, read(take(at, length))),
    cookie: (to, at, length) => answer(to, cookie(take(at, length))),
    lowercase: (to, at, length) => answer(to, lowercase(take(at, length))),
    handOver(at, length) {
      effects = take(at, length)
    },
  }
  // The names carry a digest: `__wbg_read_67bc440e0e531693`.
  const byName = new Proxy({}, { get: (_, name) => functions[name.split('_')[3]] })
  const wasm = instantiate({ './duet_bg.js': byName })
  return (name, input) => {
    wasm.call(...give(name), ...give(input))
    return effects
  }
}
