// What people type, without what only looks different: what plain.rs of `duet-events` does with tables of its
// own, done with the browser's. The rules about what is left are in Rust.

/** An e-mail address, a phone number and an external id, as Rust wants them. */
export const plain = [
  // White space inside makes it none.
  (text) => (/\s/.test(text.trim()) ? '' : text.trim().toLowerCase()),
  (text) =>
    text
      .replace(/[\s()./\-\u2010-\u2015\u2212\uff08\uff09\uff0d]/g, '')
      .replace(/[\uff10-\uff19\u0660-\u0669\u06f0-\u06f9]/g, (digit) => digit.charCodeAt() & 15)
      .replace(/\uff0b/, '+'),
  (text) => text.trim(),
]
