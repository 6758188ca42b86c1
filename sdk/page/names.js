// Event names. The lists are the vocabulary's, put in by `cargo xtask sdk`; what they mean is decided in Rust.

import { core } from './core.js'

/** The rule that a name breaks, if any. */
export const brokenBy = (name) => {
  const flaw = core(FLAW, name, RESERVED, KNOWN)
  return flaw && (flaw > 1 ? 'event_name' : 'reserved_name')
}

/** The other name of an event that has two. */
export const alias = (name) => {
  const names = SUCCESSORS.split(' ')
  return names[names.indexOf(name) ^ 1]
}

/** The name under which repeats are recognised: `CompletePayment` and `Purchase` are one sale. */
export const canonical = (name) => {
  const names = SUCCESSORS.split(' ')
  const at = names.indexOf(name)
  return at % 2 ? name : names[at + 1]
}
