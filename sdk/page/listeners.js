// Settles the deliveries, and calls the listeners.

import { quiet } from './host.js'

// A delivery that is still open after this time is settled as `queued`.
const PATIENCE_MS = 12_000

const tickets = []
// `call` is emitted only while debugging.
const listeners = { delivery: new Set(), error: new Set(), pixel: new Set(), call: new Set() }
let pixel

/** Creates a delivery. Returns its promise, and the number with which the delivery is settled later. */
export const ticket = (event) => {
  const one = { event }
  one.delivery = new Promise((resolve) => {
    one.resolve = resolve
  })
  return { number: tickets.push(one), delivery: one.delivery }
}

/**
 * Reports the status of an event. If this page made the event, `number` is the number of the event's ticket. If an
 * earlier page made the event, the caller passes the event's name as `number`. `said` has the proxy's errors and
 * warnings.
 */
export const settle = (number, eventId, status, said) => {
  const one = tickets[number - 1]
  const { errors, warnings } = said ?? {}
  const delivery = { event: one ? one.event : number, eventId, status, errors, warnings }
  one?.resolve(delivery)
  emit('delivery', delivery)
}

// The deliveries that the current task has created. One timer settles all of them.
let patient

/** Settles a delivery as `queued` if `init()`, consent or the network is slow. */
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
  // Tell the listener the state of the Pixel, if the state was already known before the listener was added.
  if (kind == 'pixel' && pixel) queueMicrotask(() => quiet(() => listener(pixel)))
  return () => {
    set.delete(listener)
  }
}

export const emit = (kind, detail) => {
  if (kind == 'pixel') pixel = detail
  if (kind == 'error') {
    const { code, field } = detail
    // The sentences for these codes are in debug.js.
    detail.message ??= `${field ?? 'trouble'}: ${code}; init({ debug: true }) explains`
    if (!listeners.error.size) console.warn('[duet] ' + detail.message, detail)
  }
  // Call listeners only after the present call has ended, because a listener can call Duet.
  for (const listener of listeners[kind]) queueMicrotask(() => quiet(() => listener(detail)))
}
