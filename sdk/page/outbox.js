// The events that wait, as texts. Rust knows them by their numbers, and what becomes of them.

import { ADD, FIND, MISS, WAKE, happened, step } from './effects.js'
import { PREFIX, cookie, keys, quiet, read } from './host.js'
import { settle } from './listeners.js'
import { verdict } from './ttq.js'

const EVENT = PREFIX + 'e:'
// What `close` adds to an event, at most.
const LATE_BYTES = 128

/** By their numbers, from 1 on. `stored`: whether the Pixel has no part in it, the mark of its order, its body. */
export const events = [0]

/** The keys of all that are stored. */
export const storedEvents = () => keys().filter((key) => key.startsWith(EVENT))

const tell = (kind, key, stored, ticket) => {
  const [off, mark, body] = quiet(() => [...JSON.parse(stored)]) ?? []
  const number = events.push({ key, stored, ticket, off, mark, body, id: body?.event_id }) - 1
  const bytes = new TextEncoder().encode(stored).length + LATE_BYTES
  // The key begins with the time, so that keys sort by it. What cannot be read is as old as can be.
  step(kind, number, body ? parseInt(key.slice(EVENT.length)) : 0, bytes, !!off + 2 * !!mark)
}

/** Takes a new event in. Chance and the pixel's id keep pages and the copies of one call apart. */
export const add = (ticket, off, mark, body) => {
  tell(ADD, EVENT + Date.now() + '-' + Math.random() + (body.pixel_id ?? ''), JSON.stringify([off, mark, body]), ticket)
  // Nothing says of a hidden page that it is being left, and its timers are late.
  if (document.hidden) happened(WAKE)
}

/** Tells of everything that is stored, and of what is not any more. */
export const look = () => {
  const known = events.map((event) => event.key)
  events.forEach((event, number) => event && !read(event.key) && step(MISS, number))
  for (const key of storedEvents()) if (!known.includes(key)) tell(FIND, key, read(key))
}

/**
 * The whole body, with the browser id from TikTok's cookie, which the Pixel may set a second after the
 * call, and with the Pixel's fate; of another page's nobody knows any more.
 */
export const close = (number) => {
  const { off, ticket, body } = events[number]
  return {
    ...body,
    user: { ...body.user, ttp: cookie('_ttp') || undefined },
    pixel: off ? 'off' : ticket ? verdict : undefined,
  }
}

/** Says how one fares: to whoever called, or of an earlier page's to whoever listens. */
export const fares = (number, status) => {
  const { ticket, id, body, said } = events[number]
  if (status != 'queued') delete events[number]
  settle(ticket || body?.event, id, status, said)
}
