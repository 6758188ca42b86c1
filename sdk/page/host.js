// What the Rust module may ask of the page while a call runs (host.rs), and what the page is like at
// this moment (facts.rs).

import { hex, randomBytes } from './ids.js'

export const PREFIX = 'duet:'
export const FIELD = '\x1f'
export const RECORD = '\x1e'

/** Runs `task`; whatever goes wrong on someone else's page stays here. */
export const quiet = (task) => {
  try {
    return task()
  } catch {
    return undefined
  }
}

export const join = (fields) =>
  fields
    .map((field) =>
      field == null || field === false ? '' : field === true ? '1' : String(field).replace(/[\x1e\x1f]/g, ''),
    )
    .join(FIELD)

// What localStorage did not take: denied, full, or switched off.
const memory = new Map()

export const read = (key) => memory.get(key) ?? quiet(() => localStorage.getItem(key)) ?? ''

export const write = (key, value) => {
  try {
    localStorage.setItem(key, value)
    memory.delete(key)
  } catch {
    memory.set(key, value)
  }
}

export const remove = (key) => {
  memory.delete(key)
  quiet(() => localStorage.removeItem(key))
}

export const keys = () => [
  ...new Set([
    ...memory.keys(),
    ...(quiet(() => Object.keys(localStorage).filter((key) => key.startsWith(PREFIX))) ?? []),
  ]),
]

/** The keys under which record.rs stores events. */
export const storedEvents = () => keys().filter((key) => key.startsWith(PREFIX + 'e:'))

export const cookie = (name) => quiet(() => document.cookie.match(`(?:^|; )${name}=([^;]*)`)?.[1]) ?? ''

export const setCookie = (name, value, seconds) => {
  const secure = location.protocol === 'https:' ? ';secure' : ''
  document.cookie = `${name}=${value};max-age=${seconds};path=/;samesite=lax${secure}`
}

export const lowercase = (text) => text.toLowerCase()

export const facts = () =>
  join([Date.now(), hex(randomBytes()), location.href.slice(0, 2048), document.referrer.slice(0, 2048)])

// A router may have taken the click id out of the address, but not out of the navigation's own entry.
export const clicked = () => {
  const landing = quiet(() => performance.getEntriesByType('navigation')[0].name)
  for (const address of [location.href, landing]) {
    const id = quiet(() => new URL(address).searchParams.get('ttclid'))
    if (id) return id
  }
  return ''
}
