// The same Rust module translated to JavaScript, for pages whose Content-Security-Policy forbids
// WebAssembly and for browsers without it. Fetched only then.

import { call, initSync } from './duet.js'

export const open = () => {
  initSync({ module: new WebAssembly.Module() })
  return call
}
