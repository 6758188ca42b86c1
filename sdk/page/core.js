// The Rust module, over what instantiates it.
//
// This takes the place of the JavaScript that wasm-bindgen writes, which has to be ready for anything;
// here only numbers and texts go in, and numbers and bytes come out. `cargo xtask sdk` fails where
// wasm-bindgen would cross them differently, and puts in what the module's imports and exports are
// called: all names in capitals that are nowhere defined.

/** What the module has asked for and nobody has carried out yet: kind and two numbers each. */
export const effects = []

/** `(name, ...values) => answer`: an export, called with numbers, texts and bytes. */
export let core

export const attach = (call) => {
  core = call
}

// Room for the texts of a call; one that is longer gets more.
const ROOM_BYTES = 40_000

/** `core`, over what `instantiate` makes of the module's imports. */
export const connect = (instantiate) => {
  let given
  let start = 0
  let end = 0
  const bytes = (at, length) => new Uint8Array(wasm[MEMORY].buffer, at, length)
  const wasm = instantiate({
    [MODULE]: {
      [EFFECT]: (...effect) => effects.push(effect),
      [GIVE]: (at, length) => {
        given = bytes(at, length).slice()
      },
    },
  })
  return (name, ...values) => {
    let at = start
    given = undefined
    const crossing = values.flatMap((value) => {
      const encoded = typeof value == 'string' ? new TextEncoder().encode(value) : value
      const { length } = encoded
      if (length == null) return encoded
      if (at + length > end) {
        start = at = wasm[ALLOCATE](length + ROOM_BYTES, 1)
        end = at + length + ROOM_BYTES
      }
      bytes(at, length).set(encoded)
      at += length
      return [at - length, length]
    })
    const answer = wasm[name](...crossing)
    return given ?? answer
  }
}
