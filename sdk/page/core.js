// The Rust module, over what instantiates it.
//
// This takes the place of the JavaScript that wasm-bindgen writes, which has to be ready for anything; here only numbers
// and texts go in, and numbers and bytes come out. `sdk/src/bindings.rs` says what crosses. `cargo xtask sdk` puts in what
// the built module calls it - all names in capitals that are nowhere defined - and fails where one side lacks a name of the
// other's, or wasm-bindgen would cross them differently.

import { imports } from './effects.js'

/** `(NAME, ...values) => answer`: an export of the module, called with numbers and texts. */
export let core

export const attach = (call) => {
  core = call
}

// Room for the text of a call, of which no call has two; one that is longer gets more.
const ROOM_BYTES = 40_000

/** `core`, over what `instantiate` makes of the module's imports. */
export const connect = (instantiate) => {
  const encoder = new TextEncoder()
  let given
  // All of the module's memory; the room is its end, since nothing else allocates.
  let bytes = []
  let room = 0
  const give = (at, length) => {
    given = bytes.slice(at, at + length)
  }
  const wasm = instantiate({ [MODULE]: { ...imports(), [GIVE]: give } })
  return (name, ...values) => {
    given = undefined
    const crossing = values.flatMap((value) => {
      if (typeof value != 'string') return value
      // A character is at most three bytes.
      const most = value.length * 3
      if (room + most >= bytes.length) {
        room = wasm[ALLOCATE](most + ROOM_BYTES, 1)
        bytes = new Uint8Array(wasm[MEMORY].buffer)
      }
      return [room, encoder.encodeInto(value, bytes.subarray(room)).written]
    })
    const answer = wasm[name](...crossing)
    return given ?? answer
  }
}
