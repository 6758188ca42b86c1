// Who waits for a delivery, and who listens.

import { quiet } from './host.js'

// A delivery never hangs: what nobody has settled by then is `queued`.
const PATIENCE_MS = 12_000

const tickets = []
// A `call` is told while debugging only.
const listeners = { delivery: new Set(), error: new Set(), pixel: new Set(), call: new Set() }
let pixel

/** The number under which a delivery is settled, and the promise of it. */
export const ticket = (event) => {
  const one = { event }
  one.delivery = new Promise((resolve) => {
    one.resolve = resolve
  })
  return { number: tickets.push(one), delivery: one.delivery }
}

/**
 * Says how an event fares: one of this page by its ticket, an earlier page's by its name; `said` are the
 * proxy's errors and warnings.
 */
export const settle = (number, eventId, status, said) => {
  const one = tickets[number - 1]
  const { errors, warnings } = said ?? {}
  const delivery = { event: one ? one.event : number, eventId, status, errors, warnings }
  one?.resolve(delivery)
  emit('delivery', delivery)
}

// Those of the task that runs: one timer does for all of them.
let patient

/** Answers `queued` where `init()`, consent or the network take their time. */
export const settleInTime = (number, eventId) => {
  if (!patient) {
    setTimeout((all) => all.forEach((one) => one()), PATIENCE_MS, (patient = []))
    queueMicrotask(() => (patient = 0))
  }
  const { event, resolve } = tickets[number - 1]
  patient.push(() => resolve({ event, eventId, status: 'queued' }))
}

export const on = (kind, listener) => {
  const set = listeners[kind]
  if (!set || typeof listener != 'function') return () => {}
  set.add(listener)
  // Whoever asks late still learns what became of the Pixel.
  if (kind == 'pixel' && pixel) queueMicrotask(() => quiet(() => listener(pixel)))
  return () => {
    set.delete(listener)
  }
}

export const emit = (kind, detail) => {
  if (kind == 'pixel') pixel = detail
  if (kind == 'error') {
    const { code, field } = detail
    // The sentences are in debug.js.
    detail.message ??= `${field ?? 'trouble'}: ${code}; init({ debug: true }) explains`
    if (!listeners.error.size) console.warn('[duet] ' + detail.message, detail)
  }
  // Never from inside a call: a listener may call Duet.
  for (const listener of listeners[kind]) queueMicrotask(() => quiet(() => listener(detail)))
}
