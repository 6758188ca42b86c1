// Calls the Rust module, which inline.js or external.js has instantiated.
//
// This file replaces the JavaScript of wasm-bindgen, which must handle every type. The module accepts only numbers and texts,
// and returns only numbers and bytes. `sdk/src/bindings.rs` describes the boundary. `cargo xtask sdk` inserts the names that
// the built module uses: all names in capitals that are not defined here. The build fails if a name is missing on one side, or
// if wasm-bindgen would pass the values differently.

/** `(NAME, ...values) => answer` calls an export of the module with numbers and texts. */
export let core

export const attach = (call) => {
  core = call
}

// The space for the text of a call. A call has at most one text. If a text is longer than the space, the space is enlarged.
const ROOM_BYTES = 40_000

/** Makes `core` from the result of `instantiate`, which is called with the module's imports. */
export const connect = (instantiate, imports) => {
  const encoder = new TextEncoder()
  let given
  // The whole memory of the module. The space for texts is at the end of the memory, because the module allocates nothing else
  // there.
  let bytes = []
  let room = 0
  const give = (at, length) => {
    given = bytes.slice(at, at + length)
  }
  const wasm = instantiate({ [MODULE]: { ...imports, [GIVE]: give } })
  return (name, ...values) => {
    given = undefined
    const crossing = values.flatMap((value) => {
      if (typeof value != 'string') return value
      // A character needs at most three bytes.
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
