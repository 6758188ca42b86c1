// What people type, without what only looks different: what plain.rs of `duet-events` does with tables of its
// own, done with the browser's. The rules about what is left are in Rust.

/** An e-mail address, a phone number and an external id, as Rust wants them. */
export const plain = [
  // White space inside makes it none.
  (text) => (/\s/.test(text.trim()) ? '' : text.trim().toLowerCase()),
  (text) =>
    text
      .replace(/[\s()./\-‐-―−（）－]/g, '')
      .replace(/[０-９٠-٩۰-۹]/g, (digit) => digit.charCodeAt() & 15)
      .replace(/＋/g, '+'),
  (text) => text.trim(),
]
