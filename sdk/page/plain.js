// Normalises typed texts: if two texts look different but mean the same, both get the same form. plain.rs in `duet-events` uses
// its own Unicode tables for this, and this script uses the browser's tables. All further rules are in Rust.

// Removes soft hyphens, zero-width characters, direction marks and byte order marks, and composes the letters.
export const visible = (text) => text.replace(/[\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, '').normalize()

/** The words that programs write for a missing value. */
export const nothing = /^(undefined|null|nan|none|\[object object\])?$/i

/** Three functions that bring an e-mail address, a phone number and an external id into the plain form that Rust expects. */
export const plain = [
  (text) => {
    const address = visible(text).trim().replace(/^mailto:|\.$|"/gi, '')
    // An e-mail address with white space inside is not valid.
    return /\s/.test(address) ? '' : address.toLowerCase()
  },
  (text) =>
    visible(text)
      .replace(/^\s*tel:|[\s()./\-\u2010-\u2015\u2212\uff08\uff09\uff0d]/gi, '')
      .replace(/[\uff10-\uff19\u0660-\u0669\u06f0-\u06f9]/g, (digit) => digit.charCodeAt() & 15)
      .replace(/\uff0b/, '+'),
  (text) => (/^(true|false|0)$/i.test(text) || nothing.test(visible(text).trim()) ? '' : text.trim()),
]
