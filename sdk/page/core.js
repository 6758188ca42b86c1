// The Rust module, over what instantiates it.
//
// This takes the place of the JavaScript that wasm-bindgen writes, which has to be ready for anything; here only numbers
// and texts go in, and numbers and bytes come out. `sdk/src/bindings.rs` says what crosses. `cargo xtask sdk` puts in what
// the built module calls it - all names in capitals that are nowhere defined - and fails where one side lacks a name of the
// other's, or wasm-bindgen would cross them differently.

import { imports } from './effects.js'
import { constants } from './sha256.js'

/** `(NAME, ...values) => answer`: an export of the module, called with numbers and texts. */
export let core

export const attach = (call) => {
  core = call
}

// Room for the texts of a call; one that is longer gets more.
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
  new Int32Array(wasm[MEMORY].buffer).set(constants(), CONSTANTS / 4)
  return (name, ...values) => {
    let at = room
    given = undefined
    const crossing = []
    for (const value of values) {
      if (typeof value == 'string') {
        // A character is at most three bytes.
        const most = value.length * 3
        if (at + most >= bytes.length) {
          room = at = wasm[ALLOCATE](most + ROOM_BYTES, 1)
          bytes = new Uint8Array(wasm[MEMORY].buffer)
        }
        const { written } = encoder.encodeInto(value, bytes.subarray(at))
        crossing.push(at, written)
        at += written
      } else {
        crossing.push(value)
      }
    }
    const answer = wasm[name](...crossing)
    return given ?? answer
  }
}
