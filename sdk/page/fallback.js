// The same Rust module translated to JavaScript, for browsers without WebAssembly and for pages whose
// Content-Security-Policy forbids it. The translation is fetched only in these cases.

export { instantiate } from './duet_bg.js'
