// Access to the page: its storage, its cookies, its address.

import { nothing } from './plain.js'

/** The prefix of all of Duet's storage keys. */
export const PREFIX = 'duet:'

/** Runs `task` and ignores its exceptions, so that no error of Duet reaches the page. */
export const quiet = (task) => {
  try {
    return task()
  } catch {}
}

// Values that localStorage did not accept (denied, full or switched off), and values that must be kept even if a script of the
// page clears localStorage.
const memory = new Map()

export const read = (key) => quiet(() => localStorage.getItem(key)) ?? memory.get(key) ?? ''

/** Stores a value. With `forPage`, this page remembers the value even if localStorage is cleared. */
export const write = (key, value, forPage) => {
  memory.set(key, value)
  quiet(() => {
    localStorage.setItem(key, value)
    if (!forPage) memory.delete(key)
  })
}

export const remove = (key) => {
  memory.delete(key)
  quiet(() => localStorage.removeItem(key))
}

export const keys = () =>
  [...new Set([...memory.keys(), ...(quiet(() => Object.keys(localStorage)) ?? [])])].filter((key) => key.startsWith(PREFIX))

// TikTok does not document which characters its ids can have. The characters in this set can be written unchanged into a
// cookie, a header and JSON. The set does not contain `@`, which e-mail addresses have, nor the brackets of macros.
const fits = /^[!#-+\--:=?A-Z^-z|~]{1,1024}$/
// The macros that TikTok's ads should have replaced by a value, such as `__CLICKID__`.
const macro = /^\+*(__.*__|%%.*%%)\+*$/

const isId = (text) => {
  const decoded = quiet(() => decodeURIComponent(text)) ?? text
  return fits.test(decoded) && !macro.test(decoded) && !nothing.test(decoded)
}

/**
 * Returns the first text that can be a click id or browser id of TikTok, even if the text is still percent-encoded. Returns an
 * empty text if none of the texts can be an id.
 */
export const tiktokId = (ids) => quiet(() => ids().find(isId)) ?? ''

/**
 * Reads a member of the document. The member is read from the prototype, because a form or an image with the same `name` hides
 * the document's own member.
 */
export const ofDocument = (name) => {
  const member = globalThis.document?.[name]
  return typeof member == 'object' || member?.nodeType ? Reflect.get(Document.prototype, name, document) : member
}

/** Returns the page's address. A `blob:` page has the address of the page that created it. */
export const here = () => location.href.replace(/^blob:/, '')

/** Makes an address absolute. The page's `<base>` is ignored, because `<base>` is meant only for the page's own links. */
export const absolute = (address) => (quiet(() => new URL(address, here())) ?? address) + ''

export const cookie = (name) =>
  tiktokId(() => ofDocument('cookie').split('; ').map((pair) => pair.split(RegExp(`^${name}=`))[1]))

export const setCookie = (name, value, seconds) => {
  const secure = location.protocol == 'https:' ? ';secure' : ''
  document.cookie = `${name}=${value};max-age=${seconds};path=/;samesite=lax${secure}`
}

/** Returns the click id in an address, or an empty text. */
export const clickIn = (address) => tiktokId(() => new URL(address).searchParams.getAll('ttclid'))

// A router can remove the click id from the page's address. The browser's navigation entry still has the first address with the
// click id.
export const clicked = () =>
  clickIn(here()) || clickIn(quiet(() => performance.getEntriesByType('navigation')[0].name))
