// The page: its storage, its cookies, its address.

import { nothing } from './plain.js'

/** What the keys of all that Duet stores begin with. */
export const PREFIX = 'duet:'

/** Runs `task`; whatever goes wrong on someone else's page stays here. */
export const quiet = (task) => {
  try {
    return task()
  } catch {}
}

// What localStorage did not take - denied, full, or switched off - and what must outlive a page script that clears it.
const memory = new Map()

export const read = (key) => quiet(() => localStorage.getItem(key)) ?? memory.get(key) ?? ''

/** `forPage`: whether this page remembers it even if its storage is cleared. */
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

// TikTok says nothing of the alphabet of its ids; this much fits a cookie, a header and JSON unchanged, and is in no e-mail
// address and no brackets of a macro.
const fits = /^[!#-+\--:=?A-Z^-z|~]{1,1024}$/
// What else stands where nobody has replaced it.
const macro = /^\+*(__.*__|%%.*%%)\+*$/

const isId = (text) => {
  const decoded = quiet(() => decodeURIComponent(text)) ?? text
  return fits.test(decoded) && !macro.test(decoded) && !nothing.test(decoded)
}

/**
 * The first that can be one of click ids or browser ids of TikTok's, also where somebody has encoded it once more; empty for none.
 */
export const tiktokId = (ids) => quiet(() => ids().find(isId)) ?? ''

/** Reads a member of the document. A form or an image with the same `name` hides it: then the prototype has it. */
export const ofDocument = (name) => {
  const member = globalThis.document?.[name]
  return typeof member == 'object' || member?.nodeType ? Reflect.get(Document.prototype, name, document) : member
}

/** The page's address. A `blob:` page has the address of the page that made it. */
export const here = () => location.href.replace(/^blob:/, '')

/** An address of the page's, whatever its `<base>` says: that is about its links. */
export const absolute = (address) => (quiet(() => new URL(address, here())) ?? address) + ''

export const cookie = (name) =>
  tiktokId(() => ofDocument('cookie').split('; ').map((pair) => pair.split(RegExp(`^${name}=`))[1]))

export const setCookie = (name, value, seconds) => {
  const secure = location.protocol == 'https:' ? ';secure' : ''
  document.cookie = `${name}=${value};max-age=${seconds};path=/;samesite=lax${secure}`
}

/** The click id in an address; empty for none. */
export const clickIn = (address) => tiktokId(() => new URL(address).searchParams.getAll('ttclid'))

// A router may have taken the click id out of the address, but not out of the navigation's own entry.
export const clicked = () =>
  clickIn(here()) || clickIn(quiet(() => performance.getEntriesByType('navigation')[0].name))
