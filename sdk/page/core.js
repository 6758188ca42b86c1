// The Rust module, inside this file: nothing to fetch, nothing for a bundler to find, and it is up
// before the call that needs it returns.
//
// This takes the place of the JavaScript that wasm-bindgen writes, which has to be ready for anything;
// here only texts cross. `cargo xtask sdk` fails where wasm-bindgen would cross them differently.

import text from './duet_bg.txt'
import { cookie, lowercase, read } from './host.js'

/** Brings the module up and gives back its one function; throws where a page forbids WebAssembly. */
export const open = () =>
  connect((imports) => {
    return new WebAssembly.Instance(new WebAssembly.Module(decode(text)), imports).exports
  })

// The way back from `text.rs` in `cargo xtask sdk`: 93 characters, of which the first two announce a
// second one.
const decode = (text) => {
  const bytes = []
  let high = -2
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    const code = character - 32 - (character > 34) - (character > 92)
    if (high < 0 && code < 2) {
      high = 91 + code * 93
    } else {
      bytes.push(high + code)
      high = -2
    }
  }
  return new Uint8Array(bytes)
}

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
