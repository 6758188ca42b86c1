// Where the module comes from, for `duet-sdk/external`: a file of its own, compiled while it arrives.
// Calls made meanwhile wait.

import { connect } from './core.js'

export const open = () => {
  throw 'it has to be fetched'
}

const file = () => new URL('./duet.wasm', import.meta.url)

export const openLater = async () => {
  try {
    // A server may not know what a .wasm file is.
    const module = await WebAssembly.compileStreaming(fetch(file())).catch(async () =>
      WebAssembly.compile(await (await fetch(file())).arrayBuffer()),
    )
    // Where a policy forbids it, other browsers do not even compile it; WebKit does, and refuses here.
    return connect((imports) => new WebAssembly.Instance(module, imports).exports)
  } catch {
    // Not allowed here: the same code translated to JavaScript.
    return connect((await import('./fallback.js')).instantiate)
  }
}
