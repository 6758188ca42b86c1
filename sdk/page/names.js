// Event names. The lists are those of name.rs of `duet-events`, put in by `cargo xtask sdk`, and `events/tests/names.json` holds
// both sides to one table.

/** The rule that a name breaks, if any. */
export const brokenBy = (name) => {
  const known = KNOWN.split(' ')
  const isOtherCase = !known.includes(name) && known.some((one) => one.toLowerCase() == name.toLowerCase())
  if (RESERVED.split(' ').includes(name)) return 'reserved_name'
  return isOtherCase || !/^[a-z][\w-]{0,49}$/i.test(name) ? 'event_name' : undefined
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
