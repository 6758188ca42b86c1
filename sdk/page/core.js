// The Rust module, over what instantiates it.
//
// This takes the place of the JavaScript that wasm-bindgen writes, which has to be ready for anything;
// here only numbers and texts go in, and numbers and bytes come out. `cargo xtask sdk` fails where
// wasm-bindgen would cross them differently, and puts in what the module's imports and exports are
// called: all names in capitals that are nowhere defined.

import { constants } from './sha256.js'

/** What the module has asked for and nobody has carried out yet: kind and two numbers each. */
export const effects = []

/** `(name, ...values) => answer`: an export, called with numbers and texts. */
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
  const wasm = instantiate({
    [MODULE]: {
      [EFFECT]: (...effect) => effects.push(effect),
      [GIVE]: (at, length) => {
        given = bytes.slice(at, at + length)
      },
    },
  })
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
