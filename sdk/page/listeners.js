// Who waits for a delivery, and who listens.

import { quiet } from './host.js'

// A delivery never hangs: what nobody has settled by then is `queued`.
const PATIENCE_MS = 12_000

const tickets = new Map()
const listeners = { delivery: new Set(), error: new Set(), pixel: new Set() }
let lastTicket = 0
let debug = false
let pixel

/** The number under which a delivery is settled, and the promise of it. */
export const ticket = () => {
  const number = String(++lastTicket)
  return { number, delivery: new Promise((resolve) => tickets.set(number, resolve)) }
}

export const settle = (number, delivery) => {
  tickets.get(number)?.(delivery)
  tickets.delete(number)
  emit('delivery', delivery)
}

/** Answers `queued` where `init()`, consent or the network take their time. */
export const settleInTime = (number, eventId) => {
  if (!tickets.has(number)) return
  setTimeout(() => {
    tickets.get(number)?.({ status: 'queued', eventId })
    tickets.delete(number)
  }, PATIENCE_MS)
}

export const on = (kind, listener) => {
  const set = listeners[kind]
  if (!set || typeof listener !== 'function') return () => {}
  set.add(listener)
  // Whoever asks late still learns what became of the Pixel.
  if (kind === 'pixel' && pixel) queueMicrotask(() => quiet(() => listener(pixel)))
  return () => {
    set.delete(listener)
  }
}

export const emit = (kind, detail) => {
  if (kind === 'pixel') pixel = detail
  log(kind, detail)
  if (kind === 'error' && !debug && !listeners.error.size) console.warn('[duet] ' + detail.message, detail)
  // Never from inside a call: a listener may call Duet.
  for (const listener of listeners[kind]) queueMicrotask(() => quiet(() => listener(detail)))
}

export const setDebug = (on) => {
  debug = on
}

export const log = (...what) => {
  if (debug) console.debug('[duet]', ...what)
}
