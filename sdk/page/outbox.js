// The events that wait, as texts. Rust knows them by their numbers, and what becomes of them.

import { happened, numberOf, step } from './effects.js'
import { PREFIX, cookie, keys, ofDocument, quiet, read, remove, write } from './host.js'
import { toJson } from './json.js'
import { settle } from './listeners.js'
import { verdict } from './ttq.js'

const EVENT = PREFIX + 'e:'
// How an event ended that other pages may wait for.
const END = PREFIX + 'd:'
const MAX_AGE_MS = 604_800_000
// What `close` adds to an event, at most.
const LATE_BYTES = 128

/** By their numbers, from 1 on. `stored`: whether the Pixel has no part in it, the mark of its order, its body. */
export const events = [0]

/** The key of a new event. It begins with the time, so that keys sort by it; chance keeps pages apart. */
export const newKey = () => EVENT + Date.now() + '-' + Math.random()

const madeAt = (key) => parseInt(key.slice(EVENT.length))

const endOf = (key) => END + key.slice(EVENT.length)

/** Leaves the other pages of this site word of how an event ended, until it would have been too old for all. */
export const note = (number, status) => write(endOf(events[number].key), status)

/** The keys of all that are stored. */
export const storedEvents = () => keys().filter((key) => key.startsWith(EVENT))

const tell = (call, key, stored, ticket) => {
  const [off, mark, body] = quiet(() => [...JSON.parse(stored)]) ?? []
  const number = events.push({ key, stored, ticket, off, mark, body, id: body?.event_id }) - 1
  const bytes = new TextEncoder().encode(stored).length + LATE_BYTES
  // What cannot be read is as old as can be.
  step(call, number, body ? madeAt(key) : 0, bytes, !!off, !!mark)
}

/** Takes a new event in. */
export const add = (ticket, off, mark, body) => {
  tell(ADD, newKey(), toJson([off, mark, body]), ticket)
  // Nothing says of a hidden page that it is being left, and its timers are late.
  if (ofDocument('hidden')) happened(WAKE)
}

/**
 * Tells of everything that is stored, and of what other pages have ended. What is gone without a word was cleared away by
 * somebody: nobody has answered for it, so this page goes on with the copy it has.
 */
export const look = () => {
  const known = events.map((event) => event.key)
  events.forEach((event, number) => {
    const end = event && !read(event.key) && read(endOf(event.key))
    if (end) step(ENDED, number, numberOf(end))
  })
  for (const key of keys()) if (key.startsWith(END) && Date.now() - madeAt(key) > MAX_AGE_MS) remove(key)
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
