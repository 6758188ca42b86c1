// The same Rust module, translated to JavaScript. This file is for browsers without WebAssembly, and for pages whose
// Content-Security-Policy forbids WebAssembly. It is fetched only in these cases.

export { instantiate } from './duet_bg.js'
