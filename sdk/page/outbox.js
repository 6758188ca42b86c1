// Keeps the waiting events, as texts. The Rust module decides what happens to the events, and knows them only by their numbers.

import { PREFIX, cookie, keys, ofDocument, quiet, read, remove, write } from './host.js'
import { toJson } from './json.js'
import { settle } from './listeners.js'
import { happened, numberOf, step } from './steps.js'
import { verdict } from './ttq.js'

const EVENT = PREFIX + 'e:'
// The prefix of the keys under which final statuses of events are stored, for other pages.
const END = PREFIX + 'd:'
const MAX_AGE_MS = 604_800_000
// The largest number of bytes that `close` adds to the text of an event.
const LATE_BYTES = 128

/**
 * The events by number, from 1 on. `stored` is the stored text of an event. It has three parts: whether the Pixel is off for
 * the event, the mark of the event's order, and the body.
 */
export const events = [0]

/**
 * Returns the key of a new event. The key starts with the time, so that keys sort by time. A random number makes the key unique
 * among pages.
 */
export const newKey = () => EVENT + Date.now() + '-' + Math.random()

const madeAt = (key) => parseInt(key.slice(EVENT.length))

const endOf = (key) => END + key.slice(EVENT.length)

/**
 * Stores how an event ended, for the other pages of this site. This note is kept until the event would be too old for every
 * page.
 */
export const note = (number, status) => write(endOf(events[number].key), status)

/** Returns the keys of all stored events. */
export const storedEvents = () => keys().filter((key) => key.startsWith(EVENT))

const tell = (call, key, stored, ticket) => {
  const [off, mark, body] = quiet(() => [...JSON.parse(stored)]) ?? []
  const number = events.push({ key, stored, ticket, off, mark, body, id: body?.event_id }) - 1
  const bytes = new TextEncoder().encode(stored).length + LATE_BYTES
  // An event whose text cannot be read counts as the oldest.
  step(call, number, body ? madeAt(key) : 0, bytes, !!off, !!mark)
}

/** Adds a new event. */
export const add = (ticket, off, mark, body) => {
  tell(ADD, newKey(), toJson([off, mark, body]), ticket)
  // Send at once on a hidden page, because its timers run late, and it gets no event when it is left.
  if (ofDocument('hidden')) happened(WAKE)
}

/**
 * Passes to Rust all stored events, and the events that other pages have ended. If an event is no longer stored and there is no
 * note about its end, a script or a person has cleared the storage. The proxy has not answered for such an event, so this page
 * continues with its own copy of the event.
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
 * Returns the body of an event as it is sent, with the browser id from TikTok's cookie and with the Pixel's result. Both are
 * added only now, because the Pixel can set the cookie a second after the call. For events of other pages, the Pixel's result
 * is not known.
 */
export const close = (number) => {
  const { off, ticket, body } = events[number]
  return {
    ...body,
    user: { ...body.user, ttp: cookie('_ttp') || undefined },
    pixel: off ? 'off' : ticket ? verdict : undefined,
  }
}

/**
 * Reports the status of one event to its caller. If an earlier page made the event, reports its status only to the listeners.
 */
export const fares = (number, status) => {
  const { ticket, id, body, said } = events[number]
  if (status != 'queued') delete events[number]
  settle(ticket || body?.event, id, status, said)
}
