// Event names. `cargo xtask sdk` inserts the lists of name.rs of `duet-events`, and `events/tests/names.json` tests both
// implementations.

/** Returns the rule that a name breaks, if any. */
export const brokenBy = (name) => {
  const known = KNOWN.split(' ')
  const isOtherCase = !known.includes(name) && known.some((one) => one.toLowerCase() == name.toLowerCase())
  if (RESERVED.split(' ').includes(name)) return 'reserved_name'
  return isOtherCase || !/^[a-z][\w-]{0,49}$/i.test(name) ? 'event_name' : undefined
}

/** Returns the other name of an event that has two names. */
export const alias = (name) => {
  const names = SUCCESSORS.split(' ')
  return names[names.indexOf(name) ^ 1]
}

/** Returns the name under which repeats are found. `CompletePayment` and `Purchase` have the same one. */
export const canonical = (name) => {
  const names = SUCCESSORS.split(' ')
  const at = names.indexOf(name)
  return at % 2 ? name : names[at + 1]
}
