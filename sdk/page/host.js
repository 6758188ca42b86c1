// Access to the page: its storage, its cookies, its address.

import { nothing } from './plain.js'

/** The prefix of all of Duet's storage keys. */
export const PREFIX = 'duet:'

/** Runs `task` and ignores its exceptions, so no error reaches the page. */
export const quiet = (task) => {
  try {
    return task()
  } catch {}
}

// Values that localStorage did not accept (denied, full or switched off), and values that must survive a page script that
// clears it.
const memory = new Map()

export const read = (key) => quiet(() => localStorage.getItem(key)) ?? memory.get(key) ?? ''

/** Stores a value. With `forPage`, this page remembers the value even if storage is cleared. */
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

// TikTok does not document the characters of its ids. This set fits a cookie, a header and JSON unchanged. The set contains
// no `@` of an e-mail address and no bracket of a macro.
const fits = /^[!#-+\--:=?A-Z^-z|~]{1,1024}$/
// Macros that were not replaced.
const macro = /^\+*(__.*__|%%.*%%)\+*$/

const isId = (text) => {
  const decoded = quiet(() => decodeURIComponent(text)) ?? text
  return fits.test(decoded) && !macro.test(decoded) && !nothing.test(decoded)
}

/**
 * Returns the first id that can be a TikTok click id or browser id, also if it was encoded once more. Returns an empty text if
 * there is none.
 */
export const tiktokId = (ids) => quiet(() => ids().find(isId)) ?? ''

/**
 * Reads a member of the document. A form or an image with the same `name` hides the member, so it is read from the prototype.
 */
export const ofDocument = (name) => {
  const member = globalThis.document?.[name]
  return typeof member == 'object' || member?.nodeType ? Reflect.get(Document.prototype, name, document) : member
}

/** Returns the page's address. A `blob:` page has the address of the page that created it. */
export const here = () => location.href.replace(/^blob:/, '')

/** Makes an address absolute. The page's `<base>` is ignored, because it is only for the page's links. */
export const absolute = (address) => (quiet(() => new URL(address, here())) ?? address) + ''

export const cookie = (name) =>
  tiktokId(() => ofDocument('cookie').split('; ').map((pair) => pair.split(RegExp(`^${name}=`))[1]))

export const setCookie = (name, value, seconds) => {
  const secure = location.protocol == 'https:' ? ';secure' : ''
  document.cookie = `${name}=${value};max-age=${seconds};path=/;samesite=lax${secure}`
}

/** Returns the click id in an address, or an empty text. */
export const clickIn = (address) => tiktokId(() => new URL(address).searchParams.getAll('ttclid'))

// A router can remove the click id from the address. The browser's navigation entry still has it.
export const clicked = () =>
  clickIn(here()) || clickIn(quiet(() => performance.getEntriesByType('navigation')[0].name))
