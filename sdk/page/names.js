// Checks event names. `cargo xtask sdk` inserts the lists from name.rs in `duet-events`, and `events/tests/names.json` tests
// both implementations.

/** Returns the rule that a name breaks, or undefined if the name is valid. */
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

/** Returns the name by which repeats of an event are recognised. It is the same for `CompletePayment` and `Purchase`. */
export const canonical = (name) => {
  const names = SUCCESSORS.split(' ')
  const at = names.indexOf(name)
  return at % 2 ? name : names[at + 1]
}
