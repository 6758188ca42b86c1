// The page: its storage, its cookies, its address.

/** What the keys of all that Duet stores begin with. */
export const PREFIX = 'duet:'

/** Runs `task`; whatever goes wrong on someone else's page stays here. */
export const quiet = (task) => {
  try {
    return task()
  } catch {}
}

// What localStorage did not take: denied, full, or switched off.
const memory = new Map()

export const read = (key) => memory.get(key) ?? quiet(() => localStorage.getItem(key)) ?? ''

export const write = (key, value) => {
  memory.set(key, value)
  quiet(() => {
    localStorage.setItem(key, value)
    memory.delete(key)
  })
}

export const remove = (key) => {
  memory.delete(key)
  quiet(() => localStorage.removeItem(key))
}

export const keys = () =>
  [...new Set([...memory.keys(), ...(quiet(() => Object.keys(localStorage)) ?? [])])].filter((key) => key.startsWith(PREFIX))

// TikTok says nothing of the alphabet of its ids; this much fits a cookie, a header and JSON unchanged.
const plain = (text) => (text && /^[!#-+\--:<-[\]-~]{1,1024}$/.test(text) ? text : '')

export const cookie = (name) => plain(quiet(() => document.cookie.match(`(?:^|; )${name}=([^;]*)`)?.[1]))

export const setCookie = (name, value, seconds) => {
  const secure = location.protocol == 'https:' ? ';secure' : ''
  document.cookie = `${name}=${value};max-age=${seconds};path=/;samesite=lax${secure}`
}

/** The click id in an address; empty for none. */
export const clickIn = (address) => plain(quiet(() => new URL(address).searchParams.get('ttclid')))

// A router may have taken the click id out of the address, but not out of the navigation's own entry.
export const clicked = () =>
  clickIn(location.href) || clickIn(quiet(() => performance.getEntriesByType('navigation')[0].name))
