// Stands in for `WebAssembly` while `fallback.js` is put together (see `cargo xtask sdk`): the glue
// asks it for an instance and gets the translated module.

import { instantiate } from './duet_bg.js'

class Module {}

class Instance {
  constructor(_module, imports) {
    this.exports = instantiate(imports)
  }
}

export const WebAssembly = { Module, Instance }
