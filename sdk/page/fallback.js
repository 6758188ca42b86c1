// The same Rust module translated to JavaScript, for pages whose Content-Security-Policy forbids
// WebAssembly and for browsers without it. Fetched only then.

export { instantiate } from './duet_bg.js'
