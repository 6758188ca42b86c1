// What people type, without what only looks different: what plain.rs of `duet-events` does with tables of its
// own, done with the browser's. The rules about what is left are in Rust.

import { hasEmail } from './personal.js'
import { utf8 } from './sha256.js'

// Without soft hyphens, zero-width characters, marks of direction and byte order marks, in composed letters.
export const visible = (text) => text.replace(/[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, '').normalize()

/** What programs write for nothing. */
export const nothing = /^(undefined|null|nan|none|\[object object\])?$/i

/** The id of an order, as everybody writes it; empty for what cannot name one. */
export const plainOrder = (id) => {
  const text = /^(string|bigint)$/.test(typeof id) || Number.isSafeInteger(id) ? visible(id + '').trim() : ''
  return utf8(text).length > 128 || /\p{Cc}/u.test(text) || nothing.test(text) || hasEmail(text) ? '' : text
}

/** An e-mail address, a phone number and an external id, as Rust wants them. */
export const plain = [
  (text) => {
    const address = visible(text).trim().replace(/^mailto:|\.$|"/gi, '')
    // White space inside makes it none.
    return /\s/.test(address) ? '' : address.toLowerCase()
  },
  (text) =>
    visible(text)
      .replace(/^\s*tel:|[\s()./\-\u2010-\u2015\u2212\uff08\uff09\uff0d]/gi, '')
      .replace(/[\uff10-\uff19\u0660-\u0669\u06f0-\u06f9]/g, (digit) => digit.charCodeAt() & 15)
      .replace(/\uff0b/, '+'),
  (text) => (/^(true|false|0)$/i.test(text) || nothing.test(visible(text).trim()) ? '' : text.trim()),
]
