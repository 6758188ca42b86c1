// Loads the module for `duet-sdk/external` from a separate file, and compiles the module while the file arrives. Calls wait
// until the module is ready.

import { connect } from './core.js'

export const open = () => {
  throw 'it has to be fetched'
}

const file = () => new URL('./duet.wasm', import.meta.url)

export const openLater = async (imports) => {
  try {
    // If the server does not send the content type of .wasm files, the first way fails, so compile the bytes of the file.
    const module = await WebAssembly.compileStreaming(fetch(file())).catch(async () =>
      WebAssembly.compile(await (await fetch(file())).arrayBuffer()),
    )
    // If a policy forbids WebAssembly, most browsers have already failed to compile the module. WebKit compiles the module, and
    // fails at this line.
    return connect((all) => new WebAssembly.Instance(module, all).exports, imports)
  } catch {
    // WebAssembly is not allowed, so use the same code translated to JavaScript.
    return connect((await import('./fallback.js')).instantiate, imports)
  }
}
