// Finds personal data in the wrong fields, as personal.rs of `duet-events` does. `cargo xtask sdk` inserts the names of that
// file, and `events/tests/personal.json` tests both implementations.

import { visible } from './plain.js'

const EMAIL = /("[^"]*"|[\p{L}\p{N}._+'!#$%*-]+)[@\uff20][\p{L}\p{N}.-]+\.\p{L}[\p{L}\p{N}-]*[\p{L}\p{N}]/gu

const NAME = RegExp(`^(?!voicemail)((${WHOLE_NAMES}|_?(${PERSONAL_NAMES})s?)|.*(${GLUED_NAMES})(address|s)?)$`)
const BEHIND = RegExp(`^(${BEHIND_NAMES}|\\d+)$`)

// A page uses the same names again and again, and each check costs microseconds.
const judged = {}

/** Returns whether a name in any spelling names personal data. */
export const isPersonal = (name) => (judged['$' + name] ??= namesPerson(name))

const namesPerson = (name) => {
  const plain = visible(name).normalize('NFKD').replace(/\p{M}/gu, '').replace(/đ/gi, 'd')
  const words = plain.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase().match(/[a-z]+|\d+/g) ?? []
  const isName = (_, at) => NAME.test((at ? '_' : '') + words.slice(at).join(''))
  while (!words.some(isName)) if (!BEHIND.test(words.pop())) return false
  return true
}

/** Returns whether `holds` is true for a text, in clear text or after up to three decodings. */
const decoded = (text, holds, times = 3) =>
  holds(text) || (times && text.includes('%') && decoded(unescape(text), holds, times - 1))

// The regular expression alone would be too slow for every text, so search for the `@` first.
const showsEmail = (text) => /[@\uff20]/.test(text) && visible(text).search(EMAIL) >= 0

/** Returns whether a text contains something like an e-mail address. */
export const hasEmail = (text) => decoded(text, showsEmail)

const isParameter = (text) => text.split(/[?&;#]/).some((pair) => /=./.test(pair) && isPersonal(pair.split('=')[0]))

const kept = (part) => decoded(part, (text) => showsEmail(text) || isParameter(text)) ? '' : part

// The address of a page, alone or in a text.
const ADDRESS = /^https?:\/\/.*|https?:\/\/\S+/gis

/** Returns a text without e-mail addresses and without the personal parts of page addresses. */
export const cleaned = (text) => {
  const left = text.replace(ADDRESS, (address) => address.replace(/\/\/[^/?#\\]*@/, '//').replace(/[&;]?[^/?#&;\\]+/g, kept))
  if (!hasEmail(left)) return left
  const rest = visible(left).replace(EMAIL, '').trim()
  return hasEmail(rest) ? '' : rest
}
