// Personal data where none belongs, as personal.rs of `duet-events` finds it. The names are that file's, put in by `cargo xtask
// sdk`, and `events/tests/personal.json` holds both sides to one table.

import { toJson } from './json.js'
import { visible } from './plain.js'

const EMAIL = /("[^"]*"|[\p{L}\p{N}._+'!#$%*-]+)[@\uff20][\p{L}\p{N}.-]+\.\p{L}[\p{L}\p{N}-]*[\p{L}\p{N}]/gu

const NAME = RegExp(`^(?!voicemail)((${WHOLE_NAMES}|_?(${PERSONAL_NAMES}))|.*(${GLUED_NAMES})(address)?\\d*)$`)
const BEHIND = RegExp(`^(${BEHIND_NAMES}|\\d+)$`)

/** Whether a name says that a person's data stands under it, in any spelling. */
export const isPersonal = (name) => {
  const words = name.replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2').toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  const isName = (_, at) => NAME.test((at ? '_' : '') + words.slice(at).join(''))
  while (!words.some(isName)) if (!BEHIND.test(words.pop())) return false
  return true
}

/** Whether something holds of a text, as it is or after up to three decodings. */
const decoded = (text, holds, times = 3) =>
  holds(text) || (times && text.includes('%') && decoded(unescape(text), holds, times - 1))

// The search by itself takes long for what is looked for in every text.
const showsEmail = (text) => /[@\uff20]/.test(text) && visible(text).search(EMAIL) >= 0

/** Whether something in a text looks like an e-mail address. */
export const hasEmail = (text) => decoded(text, showsEmail)

const isParameter = (text) => text.split(/[?&;#]/).some((pair) => /=./.test(pair) && isPersonal(pair.split('=')[0]))

const kept = (part) => decoded(part, (text) => showsEmail(text) || isParameter(text)) ? '' : part

const cleaned = (text) => {
  // The address of a page.
  if (/^https?:\/\//i.test(text)) return text.replace(/\/\/[^/?#\\]*@/, '//').replace(/[&;]?[^/?#&;\\]+/g, kept)
  if (!hasEmail(text)) return text
  const rest = visible(text).replace(EMAIL, '').trim()
  return hasEmail(rest) ? '' : rest
}

/** Properties without personal data. That something is so, or is not, says nothing of anybody. */
export const withoutPersons = (properties) =>
  JSON.parse(toJson(properties), (name, value) => {
    if (hasEmail(name) || (isPersonal(name) && !/^(true|false|null|)$/.test(value))) return undefined
    return typeof value == 'string' ? cleaned(value) : value
  })
