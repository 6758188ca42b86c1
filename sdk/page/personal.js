// Finds personal data in fields that must not contain any, as personal.rs in `duet-events` does. `cargo xtask sdk` inserts the
// names from that file, and `events/tests/personal.json` tests both implementations.

import { visible } from './plain.js'

const EMAIL = /("[^"]*"|[\p{L}\p{N}._+'!#$%*-]+)[@\uff20][\p{L}\p{N}.-]+\.\p{L}[\p{L}\p{N}-]*[\p{L}\p{N}]/gu

const NAME = RegExp(`^(?!voicemail)((${WHOLE_NAMES}|_?(${PERSONAL_NAMES})s?)|.*(${GLUED_NAMES})(address|s)?)$`)
const BEHIND = RegExp(`^(${BEHIND_NAMES}|\\d+)$`)

// Remember the result for each name, because a page uses the same names again and again, and each check takes microseconds.
const judged = {}

/** Returns whether a name, in any spelling, is a name of personal data. */
export const isPersonal = (name) => (judged['$' + name] ??= namesPerson(name))

const namesPerson = (name) => {
  const plain = visible(name).normalize('NFKD').replace(/\p{M}/gu, '').replace(/đ/gi, 'd')
  const words = plain.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase().match(/[a-z]+|\d+/g) ?? []
  const isName = (_, at) => NAME.test((at ? '_' : '') + words.slice(at).join(''))
  while (!words.some(isName)) if (!BEHIND.test(words.pop())) return false
  return true
}

/** Returns whether `holds` is true for a text, or for the text after one, two or three decodings. */
const decoded = (text, holds, times = 3) =>
  holds(text) || (times && text.includes('%') && decoded(unescape(text), holds, times - 1))

// Search for an `@` first, because the regular expression is too slow to be run on every text.
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
